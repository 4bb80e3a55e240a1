//! Faults on demand: what can go wrong on a network or in a server.

use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::listener::Running;
use super::subscriptions::Kind;
use super::{Broker, listener};

/// # Faults
///
/// A fault is either an event that happens once, or a switch. A switch keeps its setting, even across
/// [`stop`](Broker::stop) and [`start_again`](Broker::start_again).
impl Broker {
    /// Drops all connections at once, and returns their number. New connections are accepted.
    ///
    /// Output that was not written yet is lost, as when a server dies.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// # let client = redis::Client::open(broker.url())?;
    /// # let mut pubsub = client.get_async_pubsub().await?;
    /// assert_eq!(broker.kill_connections(), 1);
    /// assert!(pubsub.subscribe("news").await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn kill_connections(&self) -> usize {
        let mut state = self.shared.lock();
        let clients: Vec<_> = state.clients.keys().copied().collect();
        clients.iter().for_each(|id| state.disconnect(*id));
        clients.len()
    }

    /// Closes every new connection as soon as it is accepted, until switched off. Existing connections
    /// stay open.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// # let client = redis::Client::open(broker.url())?;
    /// broker.refuse(true);
    /// assert!(client.get_multiplexed_async_connection().await.is_err());
    ///
    /// broker.refuse(false);
    /// assert!(client.get_multiplexed_async_connection().await.is_ok());
    /// # Ok(())
    /// # }
    /// ```
    pub fn refuse(&self, on: bool) {
        self.shared.lock().refusing = on;
    }

    /// Leaves connections open but reads and writes nothing, until switched off: a black hole.
    ///
    /// Requests that arrive and messages that are published during the pause are served afterwards.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// # let client = redis::Client::open(broker.url())?;
    /// # let mut connection = client.get_multiplexed_async_connection().await?;
    /// use std::time::Duration;
    /// use tokio::time::timeout;
    ///
    /// broker.pause(true);
    /// let ping = redis::cmd("PING");
    /// let answer = timeout(Duration::from_millis(50), ping.exec_async(&mut connection)).await;
    /// assert!(answer.is_err(), "nothing is answered");
    ///
    /// broker.pause(false);
    /// ping.exec_async(&mut connection).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn pause(&self, on: bool) {
        // Under the lock, so that no command runs after this returns.
        let _state = self.shared.lock();
        self.shared.wire.send_modify(|wire| wire.paused = on);
    }

    /// Answers most commands, PING among them, with `-LOADING`, until switched off.
    ///
    /// As on a server that loads its data after a restart, HELLO, AUTH, PUBLISH and the commands on
    /// subscriptions work.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// # let client = redis::Client::open(broker.url())?;
    /// # let mut connection = client.get_multiplexed_async_connection().await?;
    /// broker.loading(true);
    /// let error = redis::cmd("PING").exec_async(&mut connection).await.unwrap_err();
    /// assert_eq!(error.code(), Some("LOADING"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn loading(&self, on: bool) {
        self.shared.lock().loading = on;
    }

    /// Delays confirmations of subscriptions. Zero switches this off.
    ///
    /// The subscription is active at once. Everything that the broker sends on that connection after
    /// the confirmation is delayed too, as on a slow line: no message overtakes its confirmation.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// # let client = redis::Client::open(broker.url())?;
    /// # let mut pubsub = client.get_async_pubsub().await?;
    /// use std::time::{Duration, Instant};
    ///
    /// let delay = Duration::from_millis(20);
    /// broker.delay_confirmations(delay);
    /// let asked = Instant::now();
    /// pubsub.subscribe("news").await?;
    /// assert!(asked.elapsed() >= delay);
    /// # Ok(())
    /// # }
    /// ```
    pub fn delay_confirmations(&self, delay: Duration) {
        self.shared.lock().confirmation_delay = delay;
    }

    /// Writes in pieces of this many bytes, each flushed separately. Zero switches this off.
    ///
    /// The network may still join pieces.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// # let client = redis::Client::open(broker.url())?;
    /// # let mut pubsub = client.get_async_pubsub().await?;
    /// broker.split_frames(1);
    /// // The confirmation is sent byte by byte.
    /// pubsub.subscribe("news").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn split_frames(&self, bytes: usize) {
        self.shared.wire.send_modify(|wire| wire.chunk = bytes);
    }

    /// Sends raw bytes to every client that is subscribed or tracking, and returns the number of these
    /// clients. The bytes are sent between two frames, never within one.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// # let client = redis::Client::open(broker.url())?;
    /// # let mut pubsub = client.get_async_pubsub().await?;
    /// pubsub.subscribe("news").await?;
    /// let clients = broker.inject("this is not RESP\r\n");
    /// assert_eq!(clients, 1);
    /// # Ok(())
    /// # }
    /// ```
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

    /// Closes the connection of any client for which more than this many bytes wait, and discards
    /// them, as a server does at its `client-output-buffer-limit`. With `None` (the default) queues
    /// grow without a limit.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// # let client = redis::Client::open(broker.url())?;
    /// # let mut pubsub = client.get_async_pubsub().await?;
    /// pubsub.subscribe("news").await?;
    /// broker.limit_output(Some(1_000));
    /// broker.publish("news", "x".repeat(1_000_000));
    /// broker.wait_for_subscribers(0).await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn limit_output(&self, bytes: Option<usize>) {
        let mut state = self.shared.lock();
        state.output_limit = bytes;
        state
            .clients
            .values()
            .for_each(|client| client.outbox.set_limit(bytes));
    }

    /// Denies subscriptions to this channel, pattern or sharded channel with `-NOPERM`, until it is
    /// [allowed](Broker::allow) again. Publishing stays allowed.
    ///
    /// The name is literal. As after a change of a server's ACL, the connections that are subscribed
    /// to it are closed.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// # let client = redis::Client::open(broker.url())?;
    /// # let mut pubsub = client.get_async_pubsub().await?;
    /// broker.deny("secret");
    /// assert!(pubsub.subscribe("secret").await.is_err());
    /// assert!(pubsub.subscribe("news").await.is_ok());
    /// # Ok(())
    /// # }
    /// ```
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

    /// Reverts a [`deny`](Broker::deny).
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// # let client = redis::Client::open(broker.url())?;
    /// # let mut pubsub = client.get_async_pubsub().await?;
    /// broker.deny("secret");
    /// broker.allow("secret");
    /// pubsub.subscribe("secret").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn allow(&self, name: impl AsRef<[u8]>) {
        self.shared.lock().denied.remove(name.as_ref());
    }

    /// Sets the password of the default user, or removes it. It applies to new connections; existing
    /// connections stay authenticated.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// # let client = redis::Client::open(broker.url())?;
    /// broker.set_password(Some("hunter2"));
    /// let mut connection = client.get_multiplexed_async_connection().await?;
    /// let error = redis::cmd("PING").exec_async(&mut connection).await.unwrap_err();
    /// assert_eq!(error.code(), Some("NOAUTH"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_password(&self, password: Option<&str>) {
        self.shared.lock().password =
            password.map(|password| Bytes::copy_from_slice(password.as_bytes()));
    }

    /// Adds a user in addition to the default user, or changes its password. Every user has all
    /// rights. Users matter once the default user has a [password](Broker::set_password).
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// broker.set_user("ann", "hunter2");
    /// let url = broker.url().replace("//", "//ann:hunter2@");
    /// let client = redis::Client::open(url)?;
    /// client.get_multiplexed_async_connection().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_user(&self, name: &str, password: &str) {
        let entry = (
            Bytes::copy_from_slice(name.as_bytes()),
            Bytes::copy_from_slice(password.as_bytes()),
        );
        self.shared.lock().users.extend([entry]);
    }

    /// Closes the listener and all connections, and resolves when that is done: new connections are
    /// then refused.
    ///
    /// Keys, settings and faults survive the stop; subscriptions do not. On Linux the port stays
    /// reserved for this broker.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// # let client = redis::Client::open(broker.url())?;
    /// broker.stop().await;
    /// assert!(client.get_multiplexed_async_connection().await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn stop(&self) {
        let running = self.lock_running().take();
        if let Some(running) = running {
            running.stop().await;
            self.shared.set_down(true);
        }
    }

    /// Listens on the same port again. Does nothing if the broker is running.
    ///
    /// # Errors
    ///
    /// Returns an error if another process has taken the port.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// # let client = redis::Client::open(broker.url())?;
    /// broker.stop().await;
    /// broker.start_again().await?;
    /// client.get_multiplexed_async_connection().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_again(&self) -> io::Result<()> {
        let mut running = self.lock_running();
        if running.is_none() {
            let socket = listener::bound(self.addr.port())?;
            self.shared.set_down(false);
            *running = Some(Running::start(self.shared.clone(), socket)?);
        }
        Ok(())
    }

    /// [Stops](Broker::stop) and [starts again](Broker::start_again): all connections are dropped, and
    /// new ones are accepted on the same port.
    ///
    /// # Errors
    ///
    /// As [`start_again`](Broker::start_again).
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// # let client = redis::Client::open(broker.url())?;
    /// # let mut pubsub = client.get_async_pubsub().await?;
    /// broker.restart().await?;
    /// assert!(pubsub.subscribe("news").await.is_err(), "it was dropped");
    /// client.get_async_pubsub().await?.subscribe("news").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn restart(&self) -> io::Result<()> {
        self.stop().await;
        self.start_again().await
    }
}
