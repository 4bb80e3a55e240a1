//! Faults on demand: what a network or a server does to its clients on a bad day.

use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::Broker;
use super::listener::{self, Running};
use super::pubsub::Kind;

/// # Faults
///
/// Each of these is a switch that stays as it is set, also over [`stop`](Broker::stop) and
/// [`start_again`](Broker::start_again), or an event that happens once.
impl Broker {
    /// Drops all connections at once, and answers how many there were. New ones are accepted.
    ///
    /// What was not yet written to a client is lost to it, as when a server dies.
    pub fn kill_connections(&self) -> usize {
        let mut state = self.shared.lock();
        let clients: Vec<_> = state.clients.keys().copied().collect();
        clients.iter().for_each(|id| state.disconnect(*id));
        clients.len()
    }

    /// Accepts new connections only to close them, until switched off. Existing ones stay.
    pub fn refuse(&self, on: bool) {
        self.shared.lock().refusing = on;
    }

    /// Leaves connections open but reads nothing and answers nothing, until switched off: a
    /// black hole.
    ///
    /// What clients send and what is published meanwhile is served afterwards.
    pub fn pause(&self, on: bool) {
        // Under the lock, so that no command runs any more once this returns.
        let _state = self.shared.lock();
        self.shared.wire.send_modify(|wire| wire.paused = on);
    }

    /// Answers most commands, PING among them, with `-LOADING`, until switched off.
    ///
    /// As on a server that reads its data after a restart, HELLO, AUTH, the commands on
    /// subscriptions and PUBLISH work.
    pub fn loading(&self, on: bool) {
        self.shared.lock().loading = on;
    }

    /// Sends confirmations of subscriptions so much later. Zero switches it off.
    ///
    /// The subscription is in force at once. Everything that the server sends on that connection
    /// after the confirmation waits behind it, as on a slow line: no message overtakes its
    /// confirmation.
    pub fn delay_confirmations(&self, delay: Duration) {
        self.shared.lock().confirmation_delay = delay;
    }

    /// Writes in pieces of so many bytes, each flushed by itself. Zero switches it off.
    ///
    /// The network may still join pieces on their way.
    pub fn split_frames(&self, bytes: usize) {
        self.shared.wire.send_modify(|wire| wire.chunk = bytes);
    }

    /// Sends raw bytes to every client that is subscribed or tracking, and answers how many those
    /// are. They come between two frames, never within one.
    pub fn inject(&self, bytes: impl AsRef<[u8]>) -> usize {
        let state = self.shared.lock();
        let clients = state
            .clients
            .values()
            .filter(|client| client.is_subscribed() || client.tracking.is_some());
        clients
            .map(|client| client.outbox.append(bytes.as_ref()))
            .count()
    }

    /// Closes the connection of any client for which more than so many bytes wait, and discards
    /// them, as the server does with its `client-output-buffer-limit`. `None`, which is how a
    /// broker starts, lets queues grow as far as memory goes.
    pub fn limit_output(&self, bytes: Option<usize>) {
        let mut state = self.shared.lock();
        state.output_limit = bytes;
        state
            .clients
            .values()
            .for_each(|client| client.outbox.set_limit(bytes));
    }

    /// Refuses subscriptions to this channel, pattern or sharded channel with `-NOPERM`, until it
    /// is [allowed](Broker::allow) again. Publishing stays free.
    ///
    /// The name is taken literally. As when a server's rights are changed, the connections that
    /// are subscribed to it are closed.
    pub fn deny(&self, name: impl AsRef<[u8]>) {
        let mut state = self.shared.lock();
        let name = Bytes::copy_from_slice(name.as_ref());
        let subscribed: Vec<_> = Kind::ALL
            .iter()
            .filter_map(|kind| state.subscriptions.names(*kind).get(&name))
            .flatten()
            .copied()
            .collect();
        subscribed.iter().for_each(|id| state.disconnect(*id));
        state.denied.insert(name);
    }

    /// Takes back a [`deny`](Broker::deny).
    pub fn allow(&self, name: impl AsRef<[u8]>) {
        self.shared.lock().denied.remove(name.as_ref());
    }

    /// Asks new connections for this password of the default user, or for none. Connections that
    /// exist stay authenticated.
    pub fn set_password(&self, password: Option<&str>) {
        self.shared.lock().password =
            password.map(|password| Bytes::copy_from_slice(password.as_bytes()));
    }

    /// Adds a user beside the default one, or changes its password. Users may do everything; they
    /// matter once the default user has a [password](Broker::set_password).
    pub fn set_user(&self, name: &str, password: &str) {
        let entry = (
            Bytes::copy_from_slice(name.as_bytes()),
            Bytes::copy_from_slice(password.as_bytes()),
        );
        self.shared.lock().users.extend([entry]);
    }

    /// Closes the listener and all connections, and resolves when that is done: who connects now
    /// is refused.
    ///
    /// Keys, settings and faults outlast the stop; subscriptions do not. On Linux the port stays
    /// reserved for this broker.
    pub async fn stop(&self) {
        let running = self.lock_running().take();
        if let Some(running) = running {
            running.stop().await;
        }
    }

    /// Listens on the same port again. Does nothing when the broker runs.
    ///
    /// # Errors
    ///
    /// When another process has taken the port.
    pub async fn start_again(&self) -> io::Result<()> {
        let mut running = self.lock_running();
        if running.is_none() {
            let socket = listener::bound(self.addr.port())?;
            *running = Some(Running::start(self.shared.clone(), socket)?);
        }
        Ok(())
    }

    /// [Stops](Broker::stop) and [starts again](Broker::start_again): all connections are
    /// dropped, and new ones accepted on the same port.
    ///
    /// # Errors
    ///
    /// As [`start_again`](Broker::start_again).
    pub async fn restart(&self) -> io::Result<()> {
        self.stop().await;
        self.start_again().await
    }
}
