//! What can go wrong, as methods.

use std::time::Duration;

use tokio::time::sleep;

use super::TestKit;
use super::server::KitServer;
use crate::error::{BoxError, Error, Fault, Result};

/// # Faults
///
/// Each of these returns when the application has settled again. With a paused clock none of them waits for time to pass.
impl TestKit {
    /// Stops the server for a time: connections end, and new ones are refused. Returns when the subscriber
    /// has connected again, and every gap is handled.
    ///
    /// ```
    /// # use redis_push::testing::TestKit;
    /// # use redis_push::{GapCause, Subscriber, handlers, push_handler};
    /// # use std::time::Duration;
    /// # #[push_handler(channel = "news")]
    /// # async fn on_news(_text: &str) {}
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> redis_push::Result<()> {
    /// # let app = Subscriber::new("redis://unused/").handlers(handlers![on_news]);
    /// let kit = TestKit::start(app).await?;
    /// kit.outage(Duration::from_secs(600)).await?;
    /// kit.handler("on_news").assert_gap(GapCause::ConnectionLost);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error in a live run over TLS or a unix socket, and those of [`settle`](Self::settle).
    pub async fn outage(&self, lasts: Duration) -> Result<()> {
        self.server.cut().await?;
        sleep(lasts).await;
        self.server.restore().await?;
        self.settle().await
    }

    /// Makes the server silent for a time: connections stay open, and nothing is read or written. What was
    /// sent meanwhile arrives afterwards.
    ///
    /// The subscriber replaces a connection that is silent for longer than its
    /// [`ping`](crate::Subscriber::ping) allows.
    ///
    /// # Errors
    ///
    /// As [`outage`](Self::outage).
    pub async fn slow(&self, lasts: Duration) -> Result<()> {
        self.server.freeze(true)?;
        sleep(lasts).await;
        self.server.freeze(false)?;
        self.settle().await
    }

    /// Denies subscriptions to a channel, a pattern or a sharded channel, until it is
    /// [allowed](Self::allow) again. The connections that are subscribed to it end, as after a change of a
    /// server's access rules.
    ///
    /// The name is that on the server: the pattern `orders.*` for the template `orders.{id}`.
    ///
    /// # Errors
    ///
    /// Returns an error in a live run: the kit does not change the rules of a server. And those of
    /// [`settle`](Self::settle).
    pub async fn deny(&self, name: impl AsRef<[u8]>) -> Result<()> {
        self.embedded("deny")?.deny(name);
        self.settle().await
    }

    /// Reverts a [`deny`](Self::deny). Returns when the server has confirmed every name.
    ///
    /// # Errors
    ///
    /// As [`deny`](Self::deny). Also if other names stay denied for longer than
    /// [`settle_within`](Self::settle_within).
    pub async fn allow(&self, name: impl AsRef<[u8]>) -> Result<()> {
        self.embedded("allow")?.allow(name);
        let confirmed = tokio::time::timeout(self.within, self.handle.confirmed());
        if confirmed.await.is_err() {
            return Err(Error::timeout(format!(
                "not every name is confirmed within {:?}: {}",
                self.within,
                self.handle.health()
            )));
        }
        self.settle().await
    }

    /// Makes a handler miss this many messages, as if its buffer had overflowed while it was slow. It
    /// receives the gap, with the exact number.
    ///
    /// Handlers with the same subscriptions and the same buffer share it, and miss them too.
    ///
    /// # Errors
    ///
    /// Returns an error if no handler has this name, or if its `overflow` is `latest`: it never lags. And
    /// those of [`settle`](Self::settle).
    pub async fn lag(&self, handler: &str, messages: u64) -> Result<()> {
        self.settle().await?;
        self.handle.lag(handler, messages)?;
        for one in self.handle.stats().handlers {
            let before = self.ledger.lost(&one.handler);
            if one.dropped > before {
                self.ledger.add_lost(&one.handler, one.dropped - before);
            }
        }
        self.settle().await
    }

    /// Makes the next delivery to a handler fail with an error, instead of calling it. A second call is for
    /// the delivery after that. A [`Fault`] may be passed too, such as one that requests a
    /// [resync](Fault::resync).
    ///
    /// # Errors
    ///
    /// Returns an error if no handler has this name.
    pub fn fail_next(&self, handler: &str, error: impl Into<BoxError>) -> Result<()> {
        let wiring = self.handle.wiring();
        if !wiring.handlers.iter().any(|row| row.handler == handler) {
            return Err(Error::config(super::no_such_handler(&wiring, handler)));
        }
        let error = error.into();
        let fault = match error.downcast::<Fault>() {
            Ok(fault) => *fault,
            Err(error) => Fault::Failed(error),
        };
        self.ledger.fail_next(handler, fault);
        Ok(())
    }

    fn embedded(&self, verb: &str) -> Result<&super::Broker> {
        match &self.server {
            KitServer::Broker(broker) => Ok(broker),
            KitServer::Live(_) => Err(Error::config(format!(
                "`{verb}` needs the embedded broker of `TestKit::start`: a live server's rules are not the \
                 test kit's to change"
            ))),
        }
    }
}
