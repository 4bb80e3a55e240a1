//! The temporary server of the real source.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use leash::Leashed;

use crate::Result;

pub(crate) struct Server {
    _child: Leashed,
    pub(crate) port: u16,
}

impl Server {
    /// Starts a server without persistence and without an output limit for subscribers, so that only
    /// the client's own loss shows.
    pub(crate) fn start(binary: &Path) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Leashed::spawn(binary, |server| {
            server
                .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
                .args(["--save", ""])
                .args(["--client-output-buffer-limit", "pubsub 0 0 0"])
                .current_dir(std::env::temp_dir())
                .stdout(Stdio::null())
        })?;
        let server = Self {
            _child: child,
            port,
        };
        let began = Instant::now();
        while server.connect().is_err() {
            if began.elapsed() > Duration::from_secs(10) {
                return Err("the server does not accept connections".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    pub(crate) fn connect(&self) -> Result<TcpStream> {
        let connection = TcpStream::connect(("127.0.0.1", self.port))?;
        connection.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(connection)
    }
}
