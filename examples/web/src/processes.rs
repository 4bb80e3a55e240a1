//! One command that starts a server and several processes of an application.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use futures_util::future::select_all;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::{Result, server};

/// The argument by which a process ends when its standard input does: with the process that started it.
pub(crate) const ATTACHED: &str = "--attached";

/// How long the processes may take to end.
const BOUND: Duration = Duration::from_secs(15);

/// Runs this program several times, on these ports or on free ones, until Ctrl-C or SIGTERM. All of them
/// use the same server.
///
/// # Errors
///
/// Returns an error if the server or a process does not start, and if one ends by itself.
pub async fn run(ports: &[u16]) -> Result {
    let server = server::find().await?;
    println!("using {}", server.why);
    let mut processes = ports
        .iter()
        .map(|port| spawn(*port, &server.url))
        .collect::<Result<Vec<_>>>()?;
    // Each process ends with its standard input. It is taken here, because the wait for a process closes
    // its standard input.
    let inputs: Vec<_> = processes
        .iter_mut()
        .map(|process| process.stdin.take())
        .collect();
    let ended = select_all(processes.iter_mut().map(|process| Box::pin(process.wait())));
    let failure = tokio::select! {
        () = server::asked_to_stop() => None,
        (status, ..) = ended => Some(status?),
    };
    drop(inputs);
    for process in &mut processes {
        timeout(BOUND, process.wait()).await??;
    }
    match failure {
        None => Ok(()),
        Some(status) => Err(format!("a process has ended: {status}").into()),
    }
}

fn spawn(port: u16, server: &str) -> Result<Child> {
    let is_free = TcpListener::bind(("127.0.0.1", port)).is_ok();
    let port = if is_free { port } else { 0 };
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--port", &port.to_string(), ATTACHED])
        .env("REDIS_URL", server)
        .stdin(Stdio::piped())
        .kill_on_drop(true);
    // Ctrl-C reaches only the first process, which then ends the others in order.
    #[cfg(unix)]
    command.process_group(0);
    Ok(command.spawn()?)
}

/// Waits for the end of the standard input.
pub(crate) async fn parent_ended() {
    let (sender, ended) = tokio::sync::oneshot::channel();
    // Not on the runtime, whose end would wait for it.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = sender.send(());
    });
    let _ = ended.await;
}
