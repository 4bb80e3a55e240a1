//! The line to a live server: a proxy in this process, which can be cut and frozen.

use std::io;
use std::net::Ipv4Addr;

use redis::{ConnectionAddr, IntoConnectionInfo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use crate::error::{Error, Result};

/// A proxy. Dropping it ends its connections.
#[derive(Debug)]
pub(super) struct Line {
    state: watch::Sender<State>,
    /// How often all connections were ended.
    cuts: watch::Receiver<u64>,
    task: AbortHandle,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    Frozen,
    Cut,
}

impl Line {
    /// Makes a line to the server at a URL. Returns the URL of the line too, or nothing if the server does
    /// not speak plain TCP.
    pub(super) async fn to(url: &str) -> Result<Option<(Self, String)>> {
        let malformed = || Error::config("the URL of the live server does not parse");
        let mut parsed = redis::parse_redis_url(url).ok_or_else(malformed)?;
        let info = url.into_connection_info().map_err(|_| malformed())?;
        let ConnectionAddr::Tcp(host, port) = info.addr().clone() else {
            return Ok(None);
        };
        let problem =
            |error: io::Error| Error::connection(format!("no line to the live server: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(problem)?;
        let own = listener.local_addr().map_err(problem)?;
        parsed
            .set_ip_host(own.ip())
            .and_then(|()| parsed.set_port(Some(own.port())))
            .map_err(|()| malformed())?;
        let state = watch::Sender::new(State::Open);
        let (cut, cuts) = watch::channel(0);
        let accepting = accept(listener, (host, port), state.subscribe(), cut);
        let task = tokio::spawn(accepting).abort_handle();
        Ok(Some((Self { state, cuts, task }, parsed.to_string())))
    }

    /// Ends every connection, and returns when that is done.
    pub(super) async fn cut(&self) {
        let mut cuts = self.cuts.clone();
        cuts.mark_unchanged();
        self.state.send_replace(State::Cut);
        let _ = cuts.changed().await;
    }

    pub(super) fn restore(&self) {
        self.state.send_replace(State::Open);
    }

    pub(super) fn freeze(&self, on: bool) {
        self.state
            .send_replace(if on { State::Frozen } else { State::Open });
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Accepts connections, and ends all of them when the line is cut.
async fn accept(
    listener: TcpListener,
    server: (String, u16),
    mut state: watch::Receiver<State>,
    cut: watch::Sender<u64>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            changed = state.changed() => {
                if changed.is_err() {
                    return;
                }
                if *state.borrow_and_update() == State::Cut {
                    connections.shutdown().await;
                    cut.send_modify(|cuts| *cuts += 1);
                }
            }
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted
                    && *state.borrow() != State::Cut
                {
                    connections.spawn(carry(client, server.clone(), state.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries the bytes of one connection, until one side ends it.
async fn carry(client: TcpStream, (host, port): (String, u16), state: watch::Receiver<State>) {
    let Ok(server) = TcpStream::connect((&*host, port)).await else {
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        _ = pump(from_client, to_server, state.clone()) => {}
        _ = pump(from_server, to_client, state) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        // What is read during a freeze is written afterwards.
        let thawed = state.wait_for(|state| *state != State::Frozen).await;
        if thawed.map(|_| ()).is_err() {
            return Ok(());
        }
        to.write_all(&buffer[..read]).await?;
    }
}
