//! Real servers, each of which lives for one test.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use leash::Leashed;
use redis::aio::MultiplexedConnection;
use tokio::net::TcpSocket;

use crate::wait::within;

/// An installed server.
#[derive(Clone, Debug)]
pub struct ServerBinary {
    path: PathBuf,
    name: String,
    version: (u32, u32),
}

impl ServerBinary {
    /// Finds the binaries listed in `REAL_REDIS_BINS`, separated by `:`. Without that variable it
    /// looks for `valkey-server` and `redis-server` on PATH.
    ///
    /// # Errors
    ///
    /// If a listed binary does not run. A list is a requirement, so nothing is skipped.
    pub fn found() -> Result<Vec<Self>, String> {
        let Some(list) = std::env::var_os("REAL_REDIS_BINS") else {
            let names = ["valkey-server", "redis-server"];
            return Ok(names
                .iter()
                .filter_map(|name| Self::at(Path::new(name)))
                .collect());
        };
        std::env::split_paths(&list)
            .filter(|path| !path.as_os_str().is_empty())
            .map(|path| {
                Self::at(&path).ok_or(format!("REAL_REDIS_BINS: {} does not run", path.display()))
            })
            .collect()
    }

    /// The binary at this path, or with this name on PATH. `None` if it does not run.
    pub fn at(path: &Path) -> Option<Self> {
        let output = Command::new(path).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text
            .split_whitespace()
            .find_map(|word| word.strip_prefix("v="))?;
        let name = format!("{} {version}", path.file_name()?.to_string_lossy());
        let mut numbers = version.split('.').map(str::parse);
        let version = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        Some(Self {
            path: path.into(),
            name,
            version,
        })
    }

    /// The name of the file and the version that it reports: `redis-server 7.0.15`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first two numbers of the version.
    pub fn version(&self) -> (u32, u32) {
        self.version
    }
}

/// A temporary server on a free port of this machine. It has no persistence, writes nothing to disk
/// but its log, and is killed on drop, or when this process ends without dropping it.
///
/// The log is printed if the server fails to start, and if the test panics.
pub struct RealServer {
    binary: ServerBinary,
    addr: SocketAddr,
    directory: PathBuf,
    arguments: Vec<OsString>,
    child: Arc<Process>,
    password: Mutex<Option<String>>,
    /// Bound but not listening. On Linux the server can listen on the same port, and no other
    /// process can get the port while the server is down.
    _port: Option<TcpSocket>,
}

/// Processes and their directories, because the servers of abandoned tests are never dropped.
static CHILDREN: Mutex<Vec<(Weak<Process>, PathBuf)>> = Mutex::new(Vec::new());

/// A server's process, while it runs.
type Process = Mutex<Option<Leashed>>;

impl RealServer {
    /// Starts a server and waits until it answers.
    ///
    /// # Panics
    ///
    /// If it does not start after a few tries on other ports. The message contains its log.
    pub async fn start(binary: &ServerBinary) -> Self {
        Self::start_with(binary, &[]).await
    }

    /// The program that the server runs.
    pub fn binary(&self) -> &ServerBinary {
        &self.binary
    }

    /// Like [`start`](Self::start), with additional arguments, such as `["--maxclients", "5"]`.
    ///
    /// # Panics
    ///
    /// Like [`start`](Self::start).
    pub async fn start_with(binary: &ServerBinary, arguments: &[&str]) -> Self {
        let mut failure = String::new();
        for _ in 0..3 {
            let server = Self::on_free_port(binary, arguments);
            match server.spawn().await {
                Ok(()) => return server,
                Err(log) => failure = log,
            }
        }
        panic!("{} does not start:\n{failure}", binary.name);
    }

    fn on_free_port(binary: &ServerBinary, arguments: &[&str]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory =
            std::env::temp_dir().join(format!("redis-push-test-{}-{count}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let port = TcpSocket::new_v4().unwrap();
        port.set_reuseaddr(true).unwrap();
        port.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let child = Arc::default();
        lock(&CHILDREN).push((Arc::downgrade(&child), directory.clone()));
        Self {
            binary: binary.clone(),
            addr: port.local_addr().unwrap(),
            directory,
            arguments: arguments.iter().map(OsString::from).collect(),
            child,
            password: Mutex::new(None),
            _port: cfg!(target_os = "linux").then_some(port),
        }
    }

    /// Starts the process. The error is its log.
    async fn spawn(&self) -> Result<(), String> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())
            .unwrap();
        let port = self.addr.port().to_string();
        let child = Leashed::spawn(&self.binary.path, |server| {
            server
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
            if self.connection().await.is_ok() {
                return Ok(());
            }
            let gone = lock(&self.child).as_mut().is_none_or(Leashed::has_ended);
            if gone || tokio::time::Instant::now() > end {
                return Err(self.log());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The name and version, such as `redis-server 7.0.15`.
    pub fn name(&self) -> &str {
        &self.binary.name
    }

    /// Whether the server has sharded channels, which came with version 7.0.
    pub fn has_shards(&self) -> bool {
        self.binary.version() >= (7, 0)
    }

    /// The URL, without credentials.
    pub fn url(&self) -> String {
        format!("redis://{}/", self.addr)
    }

    /// The URL of the server's unix socket, without credentials.
    pub fn unix_url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// The address. It stays the same across restarts.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Runs a command as the administrator, over a new connection.
    ///
    /// # Panics
    ///
    /// If the server replies with an error or does not reply.
    pub async fn command(&self, words: &[&str]) -> redis::Value {
        let run = async {
            let mut connection = self.connection().await?;
            let mut command = redis::cmd(words[0]);
            command.arg(&words[1..]).query_async(&mut connection).await
        };
        within("an administrator's command", run)
            .await
            .unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Connects, authenticates and waits for the reply to a PING.
    async fn connection(&self) -> redis::RedisResult<MultiplexedConnection> {
        let redis = redis::RedisConnectionInfo::default();
        let redis = match &*lock(&self.password) {
            Some(password) => redis.set_password(password),
            None => redis,
        };
        let address = redis::ConnectionAddr::Tcp(self.addr.ip().to_string(), self.addr.port());
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
            panic!("{} does not start again:\n{log}", self.binary.name);
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

    /// The executable of the process, on systems with `/proc`.
    pub(crate) fn program(&self) -> Option<Vec<u8>> {
        let id = lock(&self.child).as_ref().map(Leashed::id)?;
        fs::read(format!("/proc/{id}/exe")).ok()
    }

    /// The directory of the server's files. It is removed on drop.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
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
            eprintln!("--- the log of {} ---\n{}---", self.binary.name, self.log());
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Kills the servers of abandoned tests.
pub(crate) fn kill_leftovers() {
    let children: Vec<_> = lock(&CHILDREN).drain(..).collect();
    for (child, directory) in children {
        if let Some(child) = child.upgrade() {
            kill(&child);
            let _ = fs::remove_dir_all(directory);
        }
    }
}

fn kill(child: &Process) {
    let child = lock(child).take();
    drop(child);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
