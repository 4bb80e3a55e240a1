//! The listener, which runs between a start and a stop of the broker.

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use super::Broker;
use super::connection;
use super::outbox::Outbox;
use super::state::Shared;

/// A running listener. Its task owns the tasks of the connections; dropping this ends all of them.
pub(super) struct Running {
    task: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl Running {
    /// Starts to listen on a bound socket.
    pub(super) fn start(shared: Arc<Shared>, socket: TcpSocket) -> io::Result<Self> {
        let listener = socket.listen(1024)?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            tokio::select! {
                () = accept(&shared, &listener, &mut connections) => {}
                () = expire(&shared) => {}
                _ = stopped => {}
            }
            close(listener);
            connections.shutdown().await;
        });
        Ok(Self { task, stop })
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

impl Broker {
    /// Returns a broker that has a port, and the socket to listen on.
    pub(super) fn bind(shared: Shared) -> io::Result<(Self, TcpSocket)> {
        let socket = bound(0)?;
        let addr = socket.local_addr()?;
        let (socket, _reserved) = if cfg!(target_os = "linux") {
            (bound(addr.port())?, Some(socket))
        } else {
            (socket, None)
        };
        let broker = Self {
            shared: Arc::new(shared),
            addr,
            running: Mutex::default(),
            _reserved,
        };
        Ok((broker, socket))
    }

    pub(super) fn listen(&self, socket: TcpSocket) -> io::Result<()> {
        let running = Running::start(self.shared.clone(), socket)?;
        *self.lock_running() = Some(running);
        Ok(())
    }
}

/// Returns a socket that is bound to the port and does not listen yet; port 0 means any free port.
pub(super) fn bound(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(cfg!(unix))?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    Ok(socket)
}

/// Stops listening on every copy of the socket. Closing it is not enough: while another thread starts a
/// process, the child holds copies of all sockets from its fork to its exec.
fn close(listener: TcpListener) {
    #[cfg(unix)]
    if let Ok(listener) = listener.into_std() {
        // The standard library can shut down only streams; to the system both are sockets.
        let socket = std::net::TcpStream::from(std::os::fd::OwnedFd::from(listener));
        let _ = socket.shutdown(std::net::Shutdown::Both);
    }
    #[cfg(not(unix))]
    drop(listener);
}

async fn accept(shared: &Arc<Shared>, listener: &TcpListener, connections: &mut JoinSet<()>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, _)) = accepted else {
            // Most likely out of file descriptors: wait before the next attempt.
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

/// Expires keys at their deadlines.
async fn expire(shared: &Shared) {
    loop {
        let next = {
            let mut state = shared.lock();
            state.expire();
            state.flush_invalidations();
            state.next_deadline()
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
