//! How servers are started.

use std::ffi::OsString;
use std::fs::{self, File};
use std::sync::Mutex;
use std::time::Duration;

use leash::Leashed;

use super::ports::Ports;
use super::process::{lock, new_process};
use super::{RealServer, ServerBinary};

impl RealServer {
    /// Starts a server and waits until it answers.
    ///
    /// # Panics
    ///
    /// If it does not start after a few tries on other ports. The message contains its log.
    pub async fn start(binary: &ServerBinary) -> Self {
        Self::start_with(binary, &[]).await
    }

    /// Like [`start`](Self::start), with additional arguments, such as `["--maxclients", "5"]`.
    ///
    /// # Panics
    ///
    /// Like [`start`](Self::start).
    pub async fn start_with(binary: &ServerBinary, arguments: &[&str]) -> Self {
        Self::start_on(binary, arguments, Ports::free).await
    }

    /// Like [`start_with`](Self::start_with), on a port whose port for the cluster bus, 10,000 above
    /// it, is free too.
    ///
    /// # Panics
    ///
    /// Like [`start`](Self::start).
    pub(crate) async fn start_node(binary: &ServerBinary, arguments: &[&str]) -> Self {
        Self::start_on(binary, arguments, Ports::free_with_bus).await
    }

    async fn start_on(binary: &ServerBinary, arguments: &[&str], ports: fn() -> Ports) -> Self {
        let mut failure = String::new();
        for _ in 0..3 {
            let mut server = Self::on(binary, ports());
            server.arguments = arguments.iter().map(OsString::from).collect();
            match server.spawn().await {
                Ok(()) => return server,
                Err(log) => failure = log,
            }
        }
        panic!("{} does not start:\n{failure}", binary.name());
    }

    /// A server that has its address and is not started yet, for servers that have to know each
    /// other's. [`configure`](Self::configure) and [`start_again`](Self::start_again) follow.
    pub(crate) fn unstarted(binary: &ServerBinary) -> Self {
        Self::on(binary, Ports::free())
    }

    /// Sets a configuration file for the next start, and additional arguments.
    pub(crate) fn configure(&mut self, config: &str, arguments: &[&str]) {
        let file = self.directory.join("config");
        fs::write(&file, config).unwrap();
        self.config = Some(file);
        self.arguments = arguments.iter().map(OsString::from).collect();
    }

    fn on(binary: &ServerBinary, ports: Ports) -> Self {
        let (child, directory) = new_process();
        Self {
            binary: binary.clone(),
            ports,
            directory,
            config: None,
            arguments: Vec::new(),
            child,
            password: Mutex::new(None),
        }
    }

    /// Starts the process. The error is its log.
    pub(super) async fn spawn(&self) -> Result<(), String> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())
            .unwrap();
        let port = self.addr().port().to_string();
        let child = Leashed::spawn(&self.binary.path, |server| {
            server
                .args(&self.config)
                .args(["--bind", "127.0.0.1", "--port", &port])
                .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
                .arg("--dir")
                .arg(&self.directory)
                .arg("--unixsocket")
                .arg(self.socket())
                .args(&self.arguments)
                .stdout(log.try_clone().unwrap())
                .stderr(log)
        });
        let child = child.map_err(|error| error.to_string())?;
        *lock(&self.child) = Some(child);
        let end = tokio::time::Instant::now() + crate::BOUND;
        loop {
            if self.connect().await.is_ok() {
                return Ok(());
            }
            let gone = lock(&self.child).as_mut().is_none_or(Leashed::has_ended);
            if gone || tokio::time::Instant::now() > end {
                return Err(self.log());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
