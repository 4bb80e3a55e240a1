//! From a subscriber to a running one: `spawn`, `start`, `run` and `run_until`.

use std::pin::pin;

use super::Subscriber;
use super::handle::Handle;
use super::signals::Signals;
use crate::error::Result;

impl<S: Send + Sync + 'static> Subscriber<S> {
    /// Starts the subscriber, and returns its handle at once, whether the server is there or not.
    ///
    /// The subscriber connects in the background, and retries until it succeeds, whatever the reason:
    /// [`start_deadline`](Self::start_deadline) and [`allow_denied`](Self::allow_denied) are for
    /// [`start`](Self::start) only. [`Handle::health`] says what is missing, and [`Handle::ready`]
    /// waits until nothing is. What is subscribed is logged when the server has answered every
    /// subscription.
    ///
    /// ```
    /// # use redis_push::{Subscriber, handlers, push_handler, testing::Broker};
    /// # #[push_handler(channel = "news")]
    /// # async fn on_news(_text: &str) {}
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Broker::start().await?;
    /// # let url = server.url();
    /// let handle = Subscriber::new(url).handlers(handlers![on_news]).spawn()?;
    /// println!("{}", handle.health()); // live, not ready (not connected)
    /// handle.ready().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error when the configuration cannot work
    /// ([`Error::is_config`](crate::Error::is_config)), for example when handlers take different
    /// [message types](crate::PushMessage) from one name.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime, and on a runtime without IO and time drivers (`enable_all`).
    pub fn spawn(self) -> Result<Handle> {
        let mut running = self.assemble()?;
        running.log_when_subscribed();
        let handle = Handle::new(running);
        handle.begin_later();
        Ok(handle)
    }

    /// Starts the subscriber, and returns when the server has confirmed every subscription. Without
    /// handlers there is none, and it returns when the server has greeted the connection.
    ///
    /// Messages and gaps may reach handlers before this returns, even if it returns an error: some
    /// of the names may have been confirmed by then.
    ///
    /// The handlers run as tasks of the current runtime. A handler that blocks its thread instead of
    /// awaiting keeps that thread from all other work, and everything from running if that thread is the one
    /// that would read the sockets; use `tokio::task::spawn_blocking` for blocking calls.
    ///
    /// # Errors
    ///
    /// Returns an error at once when the configuration cannot work
    /// ([`Error::is_config`](crate::Error::is_config)), for example when handlers take different
    /// [message types](crate::PushMessage) from one name; when the server refuses the credentials
    /// ([`Error::is_auth`](crate::Error::is_auth)) or a subscription
    /// ([`Error::is_denied`](crate::Error::is_denied)); and when its certificate cannot be trusted
    /// ([`Error::is_tls`](crate::Error::is_tls)). A server that cannot be reached is retried until
    /// the deadline ([`Error::is_timeout`](crate::Error::is_timeout) and
    /// [`Error::is_connection`](crate::Error::is_connection)). Without a deadline, everything but a
    /// configuration error is retried indefinitely.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime, and on a runtime without IO and time drivers (`enable_all`).
    ///
    /// # Cancel safety
    ///
    /// A start that is dropped, or that fails, ends everything that it has started.
    pub async fn start(self) -> Result<Handle> {
        let deadline = self.config.settings.start_deadline;
        let allows_denied = self.config.settings.allows_denied;
        let running = self.assemble()?;
        running.confirmed(deadline, allows_denied).await?;
        running.log_subscribed();
        let handle = Handle::new(running);
        handle.begin(deadline, allows_denied).await?;
        Ok(handle)
    }

    /// Starts the subscriber and runs it until Ctrl-C, SIGTERM or SIGHUP, then lets the handlers
    /// finish.
    ///
    /// A second Ctrl-C or SIGTERM stops it at once: the remaining messages are not delivered. The
    /// report of the shutdown is logged. tokio keeps handling the signals after this returns; they no
    /// longer end the process on their own.
    ///
    /// SIGHUP is what a process receives when its terminal is closed. A process that ignores it,
    /// because `nohup` has started it, continues to ignore it. This can be found out on Linux only: on
    /// other systems a hangup ends `run` also under `nohup`. Use [`run_until`](Self::run_until) in a
    /// program that uses SIGHUP for something else, such as to reload its configuration.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`start`](Self::start). After the start there are none.
    pub async fn run(self) -> Result<()> {
        let mut signals = Signals::listen()?;
        let handle = tokio::select! {
            handle = self.start() => handle?,
            () = signals.recv() => return Ok(()),
        };
        handle.run_until_signals(signals).await;
        Ok(())
    }

    /// Starts the subscriber and runs it until `signal` resolves, then lets the handlers finish.
    ///
    /// The signal also ends a start that is not complete. The report of the shutdown is logged.
    ///
    /// ```
    /// # use redis_push::{Subscriber, handlers, push_handler, testing::Broker};
    /// # #[push_handler(channel = "news")]
    /// # async fn on_news(_text: &str) {}
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Broker::start().await?;
    /// # let url = server.url();
    /// let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    /// # stop.send(()).unwrap();
    /// Subscriber::new(url)
    ///     .handlers(handlers![on_news])
    ///     .run_until(async { _ = stopped.await })
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`start`](Self::start). After the start there are none.
    pub async fn run_until(self, signal: impl Future<Output = ()>) -> Result<()> {
        let mut signal = pin!(signal);
        let handle = tokio::select! {
            handle = self.start() => handle?,
            () = &mut signal => return Ok(()),
        };
        handle.run_until(signal).await;
        Ok(())
    }
}
