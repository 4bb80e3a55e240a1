//! A faulty network between a client and a server.
//!
//! [`Proxy`] accepts connections and keeps the faults that are switched on in a watch channel.
//! `pump` forwards the bytes of one connection and applies the faults to them.

mod pump;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use pump::Connection;

/// A TCP proxy in this process that injects faults. Dropping it closes every connection.
///
/// ```no_run
/// # async fn example(server: tests::Server) {
/// use tests::Proxy;
///
/// let proxy = Proxy::start(server.addr(), 1).await;
/// let subscriber = redis_push::Subscriber::new(proxy.url());
/// proxy.reset();
/// # }
/// ```
pub struct Proxy {
    addr: SocketAddr,
    faults: watch::Sender<Faults>,
    places: Mutex<fastrand::Rng>,
    accepting: JoinHandle<()>,
}

/// A direction of travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// The faults that are switched on. A fault that happens once is a counter: it concerns the
/// connections that existed when the counter was raised.
#[derive(Clone, Debug, Default)]
struct Faults {
    resets: u64,
    cuts: u64,
    /// Where in the next bytes to cut, from 0 to 1.
    cut_at: f64,
    forgotten: u64,
    injections: u64,
    injected: &'static [u8],
    refuses: bool,
    answer: Option<&'static str>,
    hole_to_server: bool,
    hole_to_client: bool,
    chunk: usize,
    delay: Duration,
}

impl Faults {
    fn has_hole(&self, way: Way) -> bool {
        match way {
            Way::ToServer => self.hole_to_server,
            Way::ToClient => self.hole_to_client,
        }
    }
}

impl Proxy {
    /// Listens on a free port of this machine. The seed chooses where frames are cut.
    ///
    /// # Panics
    ///
    /// Panics if no port is free.
    pub async fn start(server: SocketAddr, seed: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (faults, watched) = watch::channel(Faults::default());
        Self {
            addr,
            faults,
            places: Mutex::new(fastrand::Rng::with_seed(seed)),
            accepting: tokio::spawn(accept(listener, server, watched)),
        }
    }

    /// The address that clients connect to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL that clients connect to, without credentials.
    pub fn url(&self) -> String {
        format!("redis://{}/", self.addr)
    }

    /// Resets every connection (RST). Bytes in flight are lost.
    pub fn reset(&self) {
        self.faults.send_modify(|faults| faults.resets += 1);
    }

    /// Resets every connection at the next bytes from the server. A part of those bytes, which ends
    /// inside a frame, still reaches the client.
    pub fn cut_inside_a_frame(&self) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.f64();
        self.faults.send_modify(|faults| {
            faults.cuts += 1;
            faults.cut_at = place;
        });
    }

    /// Inserts bytes before the next bytes from the server, on every connection. They must be whole
    /// frames. They arrive between two frames if the server has sent a whole number of frames.
    pub fn inject(&self, bytes: &'static [u8]) {
        self.faults.send_modify(|faults| {
            faults.injections += 1;
            faults.injected = bytes;
        });
    }

    /// Closes every connection on the server's side only. The client's side stays open and gets no
    /// more replies.
    pub fn forget_server(&self) {
        self.faults.send_modify(|faults| faults.forgotten += 1);
    }

    /// Resets new connections at once, or lets them through again.
    pub fn refuse(&self, on: bool) {
        self.faults.send_modify(|faults| faults.refuses = on);
    }

    /// Answers every command on new connections with this line instead of forwarding it. `None`
    /// ends that, and closes those connections.
    pub fn answer(&self, line: Option<&'static str>) {
        self.faults.send_modify(|faults| faults.answer = line);
    }

    /// Lets nothing through in one direction, not even the end of a connection, or lets everything
    /// through again. Bytes that were held back arrive then, as TCP retransmits them.
    pub fn black_hole(&self, way: Way, on: bool) {
        self.faults.send_modify(|faults| match way {
            Way::ToServer => faults.hole_to_server = on,
            Way::ToClient => faults.hole_to_client = on,
        });
    }

    /// Writes in pieces of `bytes` bytes, each with its own write. Zero switches this off.
    pub fn split(&self, bytes: usize) {
        self.faults.send_modify(|faults| faults.chunk = bytes);
    }

    /// Delays everything by this time, in either direction. Zero switches this off.
    pub fn delay(&self, delay: Duration) {
        self.faults.send_modify(|faults| faults.delay = delay);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Accepts connections until it is aborted. It owns their tasks, so they end with it.
async fn accept(listener: TcpListener, server: SocketAddr, faults: watch::Receiver<Faults>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let connection = Connection::new(client, server, faults.clone());
        connections.spawn(connection.run());
        while connections.try_join_next().is_some() {}
    }
}
