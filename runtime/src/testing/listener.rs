//! The listener: what runs between a start and a stop.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use super::connection;
use super::outbox::Outbox;
use super::state::Shared;

/// A running listener. Its task owns the tasks of the connections; dropping this ends them all.
pub(super) struct Running {
    task: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl Running {
    /// Binds the address; port 0 stands for any free one.
    pub(super) fn start(shared: Arc<Shared>, port: u16) -> io::Result<(Self, SocketAddr)> {
        let listener = bound(port)?.listen(1024)?;
        let addr = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            tokio::select! {
                () = accept(&shared, &listener, &mut connections) => {}
                () = expire(&shared) => {}
                _ = stopped => {}
            }
            drop(listener);
            connections.shutdown().await;
        });
        Ok((Self { task, stop }, addr))
    }

    /// Closes the listener and all connections, and waits until that is done.
    pub(super) async fn stop(mut self) {
        let (stop, _) = oneshot::channel();
        let _ = std::mem::replace(&mut self.stop, stop).send(());
        let _ = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A socket that has the port and does not listen on it: who connects is refused, and nobody
/// else gets the port.
pub(super) fn bound(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(cfg!(unix))?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    Ok(socket)
}

async fn accept(shared: &Arc<Shared>, listener: &TcpListener, connections: &mut JoinSet<()>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely: the next try is not made at once.
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let mut state = shared.lock();
        if !state.refusing {
            let outbox = Arc::new(Outbox::default());
            let id = state.connect(outbox.clone());
            drop(state);
            connections.spawn(connection::serve(shared.clone(), stream, id, outbox));
        }
    }
}

/// Expires keys when their time has come.
async fn expire(shared: &Shared) {
    loop {
        let next = {
            let mut state = shared.lock();
            state.expire();
            state.flush_invalidations();
            state.keys.next_deadline()
        };
        let sleep = async {
            match next {
                Some(time) => tokio::time::sleep_until(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep => {}
            () = shared.deadline.notified() => {}
        }
    }
}
