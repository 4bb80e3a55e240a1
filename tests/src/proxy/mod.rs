//! A bad network between a client and a server.

mod pump;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use pump::Connection;

/// A TCP proxy in this process, with faults to switch on. Dropping it closes every connection.
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

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// What is switched on. An event that happens once is a count: it is meant for the connections
/// that were there when it was raised.
#[derive(Clone, Debug, Default)]
struct Faults {
    resets: u64,
    cuts: u64,
    /// Where in the next bytes to cut, from 0 to 1.
    cut_at: f64,
    forgotten: u64,
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
    /// When there is no port.
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

    /// Resets every connection (RST), with what is under way.
    pub fn reset(&self) {
        self.faults.send_modify(|faults| faults.resets += 1);
    }

    /// Resets every connection with the next bytes that come from the server, of which a part that
    /// ends inside a frame still reaches the client.
    pub fn cut_inside_a_frame(&self) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.f64();
        self.faults.send_modify(|faults| {
            faults.cuts += 1;
            faults.cut_at = place;
        });
    }

    /// Ends every connection on the server's side only: the client's stay open, and nobody
    /// answers.
    pub fn forget_server(&self) {
        self.faults.send_modify(|faults| faults.forgotten += 1);
    }

    /// Resets new connections at once, or lets them through again.
    pub fn refuse(&self, on: bool) {
        self.faults.send_modify(|faults| faults.refuses = on);
    }

    /// Answers every command on new connections with this line in place of the server; `None` ends
    /// that, and those connections.
    pub fn answer(&self, line: Option<&'static str>) {
        self.faults.send_modify(|faults| faults.answer = line);
    }

    /// Lets nothing through in a direction, the end of a connection included, or lets it through
    /// again. As TCP sends again what was not acknowledged, what came meanwhile comes then.
    pub fn black_hole(&self, way: Way, on: bool) {
        self.faults.send_modify(|faults| match way {
            Way::ToServer => faults.hole_to_server = on,
            Way::ToClient => faults.hole_to_client = on,
        });
    }

    /// Writes in pieces of so many bytes, each by itself. Zero switches it off.
    pub fn split(&self, bytes: usize) {
        self.faults.send_modify(|faults| faults.chunk = bytes);
    }

    /// Lets everything arrive so much later, in either direction. Zero switches it off.
    pub fn delay(&self, delay: Duration) {
        self.faults.send_modify(|faults| faults.delay = delay);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Accepts until it is aborted. The connections end with it: it holds their tasks.
async fn accept(listener: TcpListener, server: SocketAddr, faults: watch::Receiver<Faults>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let connection = Connection::new(client, server, faults.clone());
        connections.spawn(connection.run());
        while connections.try_join_next().is_some() {}
    }
}
