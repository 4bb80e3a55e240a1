//! A line to a server that can be cut, to simulate network failures.

use std::error::Error;
use std::net::Ipv4Addr;

use redis::{Client, ConnectionAddr};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Forwards bytes between its own port and a server, until it is dropped.
pub(crate) struct Line {
    /// A client that reaches the server over this line.
    pub(crate) client: Client,
    is_cut: watch::Sender<bool>,
    _connections: JoinSet<()>,
}

impl Line {
    /// Starts a line to the server at `url`.
    pub(crate) async fn to(url: &str) -> Result<Self, Box<dyn Error>> {
        let server = Client::open(url)?.get_connection_info().clone();
        let ConnectionAddr::Tcp(host, port) = server.addr().clone() else {
            return Err("this example cuts TCP connections: it needs a redis:// URL".into());
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let near = listener.local_addr()?;
        let near = ConnectionAddr::Tcp(near.ip().to_string(), near.port());
        let is_cut = watch::Sender::new(false);
        let mut connections = JoinSet::new();
        connections.spawn(accept(listener, (host, port), is_cut.subscribe()));
        Ok(Self {
            client: Client::open(server.set_addr(near))?,
            is_cut,
            _connections: connections,
        })
    }

    /// Drops every connection, and new ones too, until [`restore`](Self::restore) is called.
    pub(crate) fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    /// Lets new connections through again.
    pub(crate) fn restore(&self) {
        self.is_cut.send_replace(false);
    }
}

async fn accept(listener: TcpListener, far: (String, u16), is_cut: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        connections.spawn(forward(near, far.clone(), is_cut.clone()));
    }
}

async fn forward(mut near: TcpStream, far: (String, u16), mut is_cut: watch::Receiver<bool>) {
    let forwarding = async {
        let mut far = TcpStream::connect(far).await?;
        copy_bidirectional(&mut near, &mut far).await
    };
    tokio::select! {
        biased;
        _ = is_cut.wait_for(|is_cut| *is_cut) => {}
        _ = forwarding => {}
    }
}
