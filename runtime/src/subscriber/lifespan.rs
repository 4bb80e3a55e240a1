//! How long a running subscriber runs: until a signal, and what others learn of its end.

use super::handle::Handle;
use super::report::ShutdownReport;
use super::signals::Signals;
use crate::error::Result;

impl Handle {
    /// Waits until `signal` resolves, then lets the handlers finish within the subscriber's
    /// [`drain_deadline`](crate::Subscriber::drain_deadline), and logs the report.
    ///
    /// The handle remains usable. A [shutdown](Self::shutdown) that another clone of it begins ends the
    /// wait as well.
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
    /// let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    /// # stop.send(()).unwrap();
    /// let report = handle.run_until(async { _ = stopped.await }).await;
    /// println!("{} messages were not delivered", report.cancelled());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// With a `CancellationToken` of tokio-util: `handle.run_until(token.cancelled_owned())`.
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped before its signal has changed nothing. After that, it is as with
    /// [`shutdown`](Self::shutdown).
    pub async fn run_until(&self, signal: impl Future<Output = ()>) -> ShutdownReport {
        tokio::select! {
            () = signal => {}
            () = self.stopping() => {}
        }
        self.shutdown_and_log().await
    }

    /// Waits for Ctrl-C, SIGTERM or SIGHUP, then lets the handlers finish, as
    /// [`Subscriber::run`](crate::Subscriber::run) does.
    ///
    /// A signal that arrives before this is called ends the process. The rest is as with
    /// [`run_until`](Self::run_until).
    ///
    /// # Errors
    ///
    /// Returns an error when the system does not allow to listen for signals
    /// ([`Error::is_config`](crate::Error::is_config)), and the error of an
    /// [`on_ready`](crate::Subscriber::on_ready) function that has shut the subscriber down
    /// ([`Error::is_hook`](crate::Error::is_hook)).
    pub async fn run(&self) -> Result<ShutdownReport> {
        let report = self.run_until_signals(Signals::listen()?).await;
        match self.running.hooks.failed() {
            Some(error) => Err(error),
            None => Ok(report),
        }
    }

    /// Runs until a signal. A second one ends the shutdown.
    pub(super) async fn run_until_signals(&self, mut signals: Signals) -> ShutdownReport {
        tokio::select! {
            () = signals.recv() => {
                tracing::info!(
                    target: "redis_push",
                    "shutting down; a second Ctrl-C or SIGTERM stops at once"
                );
            }
            () = self.stopping() => {}
        }
        tokio::select! {
            report = self.shutdown_and_log() => return report,
            () = signals.recv_again() => {}
        }
        tracing::warn!(target: "redis_push", "stopped before the handlers finished");
        // Another clone's shutdown may be under way, whose deadline is later.
        self.running.abort();
        self.shutdown_and_log().await
    }

    async fn shutdown_and_log(&self) -> ShutdownReport {
        let report = self.shutdown(self.running.drain_deadline).await;
        tracing::info!(target: "redis_push", "{report}");
        report
    }

    /// Returns a future that resolves when a shutdown begins, or when the last handle is dropped.
    ///
    /// It owns all it needs, and does not keep the subscriber alive. A server that should end with the
    /// subscriber can wait for it: `axum::serve(listener, router)
    /// .with_graceful_shutdown(handle.stopping())`.
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
    /// let serving = tokio::spawn(handle.stopping()); // in place of a web server
    /// drop(handle);
    /// serving.await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn stopping(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.running.stop.clone().cancelled_owned()
    }

    /// Returns a future that resolves when a [shutdown](Self::shutdown) is complete, or when the last
    /// handle is dropped: no further delivery begins.
    ///
    /// It owns all it needs, and does not keep the subscriber alive. A delivery that was under way when
    /// the last handle was dropped, or at the deadline of the shutdown, ends at its next await. A handler
    /// that waits for this keeps the shutdown waiting until its deadline.
    pub fn stopped(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.running.stopped.clone().cancelled_owned()
    }
}
