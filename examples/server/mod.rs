//! Finds or starts the server for the examples.

use std::error::Error;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use leash::Leashed;
use redis_push::testing::Broker;

/// A server, which runs until this is dropped, or the example is killed.
pub(crate) struct Server {
    pub(crate) url: String,
    /// What the server is, and why it was chosen.
    pub(crate) why: String,
    _running: Running,
}

enum Running {
    Elsewhere,
    Process { _child: Leashed },
    InProcess { _broker: Broker },
}

/// Uses the server at `REDIS_URL`, else a temporary server from PATH, else the embedded broker.
pub(crate) async fn find() -> Result<Server, Box<dyn Error>> {
    if let Some(url) = std::env::var("REDIS_URL")
        .ok()
        .filter(|url| !url.is_empty())
    {
        return Ok(Server {
            url,
            why: "the server at REDIS_URL".to_owned(),
            _running: Running::Elsewhere,
        });
    }
    for name in ["valkey-server", "redis-server"] {
        if let Some(path) = on_path(name) {
            let (child, url) = spawn(&path).await?;
            return Ok(Server {
                url,
                why: format!("a temporary {name}, because REDIS_URL is not set and it is on PATH"),
                _running: Running::Process { _child: child },
            });
        }
    }
    let broker = Broker::start().await?;
    Ok(Server {
        url: broker.url(),
        why: "the embedded broker, because REDIS_URL is not set and no valkey-server or \
              redis-server is on PATH"
            .to_owned(),
        _running: Running::InProcess { _broker: broker },
    })
}

/// Waits for Ctrl-C or SIGTERM, so that the example can remove what it has written to the server.
#[cfg(unix)]
pub(crate) async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("a handler for SIGTERM");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Waits for Ctrl-C, so that the example can remove what it has written to the server.
#[cfg(not(unix))]
pub(crate) async fn asked_to_stop() {
    let _ = tokio::signal::ctrl_c().await;
}

fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// Starts a server on a free port, without persistence, and waits until it accepts connections.
async fn spawn(path: &PathBuf) -> Result<(Leashed, String), Box<dyn Error>> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut child = Leashed::spawn(path, |server| {
        server
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
    })?;
    for _ in 0..200 {
        if tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .is_ok()
        {
            return Ok((child, format!("redis://127.0.0.1:{port}/")));
        }
        if child.has_ended() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(format!(
        "{} does not accept connections on port {port}",
        path.display()
    )
    .into())
}
