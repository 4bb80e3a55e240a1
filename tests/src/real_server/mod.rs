//! Real servers, each of which lives for one test.

mod binary;
mod ports;
mod process;
mod starting;
mod tls;

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

use leash::Leashed;
use redis::aio::MultiplexedConnection;

pub use binary::ServerBinary;
pub(crate) use process::kill_leftovers;

use ports::Ports;
use process::{Process, kill, lock};

use crate::wait::within;

/// A temporary server on a free port of this machine. It has no persistence, writes nothing to disk
/// but its log, and is killed on drop, or when this process ends without dropping it.
///
/// The log is printed if the server fails to start, and if the test panics.
pub struct RealServer {
    binary: ServerBinary,
    ports: Ports,
    directory: PathBuf,
    /// A configuration file, which must be the first argument.
    config: Option<PathBuf>,
    arguments: Vec<OsString>,
    child: Arc<Process>,
    password: Mutex<Option<String>>,
}

impl RealServer {
    /// The program that the server runs.
    pub fn binary(&self) -> &ServerBinary {
        &self.binary
    }

    /// The name and version, such as `redis-server 7.0.15`.
    pub fn name(&self) -> &str {
        self.binary.name()
    }

    /// Whether the server has sharded channels, which came with version 7.0.
    pub fn has_shards(&self) -> bool {
        self.binary.version() >= (7, 0)
    }

    /// The URL, without credentials.
    pub fn url(&self) -> String {
        format!("redis://{}/", self.addr())
    }

    /// The URL of the server's unix socket, without credentials.
    pub fn unix_url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// The address. It stays the same across restarts.
    pub fn addr(&self) -> SocketAddr {
        self.ports.addr
    }

    /// Runs a command as the administrator, over a new connection.
    ///
    /// # Panics
    ///
    /// If the server replies with an error or does not reply.
    pub async fn command(&self, words: &[&str]) -> redis::Value {
        let reply = self.ask(words).await;
        reply.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Like [`command`](Self::command), for a command that the server may refuse.
    ///
    /// # Errors
    ///
    /// The server's error reply, or the end of the connection.
    ///
    /// # Panics
    ///
    /// If the server does not reply.
    pub async fn ask(&self, words: &[&str]) -> redis::RedisResult<redis::Value> {
        let run = async {
            let mut connection = self.connect().await?;
            let mut command = redis::cmd(words[0]);
            command.arg(&words[1..]).query_async(&mut connection).await
        };
        within("an administrator's command", run).await
    }

    /// Connects as the administrator, and waits for the reply to a PING.
    ///
    /// # Errors
    ///
    /// If the server does not accept the connection. There is no bound for the wait.
    pub async fn connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        let redis = redis::RedisConnectionInfo::default();
        let redis = match &*lock(&self.password) {
            Some(password) => redis.set_password(password),
            None => redis,
        };
        let (host, port) = (self.addr().ip().to_string(), self.addr().port());
        let address = redis::ConnectionAddr::Tcp(host, port);
        let info =
            redis::IntoConnectionInfo::into_connection_info(address)?.set_redis_settings(redis);
        // redis-rs waits a second for the connection and half a second for a reply, and both may take
        // that long on a busy machine. The callers have their own bounds.
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let mut connection = redis::Client::open(info)?
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        redis::cmd("PING")
            .query_async::<()>(&mut connection)
            .await?;
        Ok(connection)
    }

    /// Sets the password of the default user, or removes it. Existing connections stay
    /// authenticated. A restart removes the password.
    pub async fn set_password(&self, password: Option<&str>) {
        self.command(&["CONFIG", "SET", "requirepass", password.unwrap_or_default()])
            .await;
        *lock(&self.password) = password.map(str::to_owned);
    }

    /// Makes the administrator use a password that was set by other means.
    pub(crate) fn use_password(&self, password: &str) {
        *lock(&self.password) = Some(password.to_owned());
    }

    /// Kills the process immediately, as in a crash.
    pub async fn stop(&self) {
        kill(&self.child);
    }

    /// Starts the server on the same port again. Its data and its settings are gone.
    ///
    /// # Panics
    ///
    /// If the server does not start. The message contains its log.
    pub async fn start_again(&self) {
        kill(&self.child);
        *lock(&self.password) = None;
        if let Err(log) = self.spawn().await {
            panic!("{} does not start again:\n{log}", self.binary.name());
        }
    }

    /// Suspends the process (SIGSTOP), or resumes it (SIGCONT). Connections stay open.
    pub fn freeze(&self, on: bool) {
        let Some(pid) = lock(&self.child).as_ref().map(Leashed::id) else {
            return;
        };
        let signal = if on { "-STOP" } else { "-CONT" };
        let status = Command::new("kill")
            .args([signal, &pid.to_string()])
            .status()
            .unwrap();
        assert!(status.success(), "kill {signal} {pid}: {status}");
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("socket")
    }

    fn log_file(&self) -> PathBuf {
        self.directory.join("log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        kill(&self.child);
        if std::thread::panicking() {
            eprintln!(
                "--- the log of {} ---\n{}---",
                self.binary.name(),
                self.log()
            );
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}
