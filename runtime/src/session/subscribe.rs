//! Subscribing to every name, and the retries for those that are not confirmed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::status::Phase;
use super::{ANSWER, AT_ONCE, Supervisor};
use crate::connection::Connection;
use crate::dispatch::{is_confirmed, is_refused_or_confirmed, needs_subscribing};
use crate::error::Error;
use crate::subscription::{Kind, Subscription};
use crate::util::Backoff;

impl Supervisor {
    /// Subscribes to what is not live, again and again, and says how it stands.
    pub(super) async fn keep_subscribed(&self, mut connection: Connection) -> Error {
        let mut news = self.feed.news();
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));
        let mut wanted = self.feed.subscriptions(needs_subscribing);
        loop {
            if let Err(error) = self.subscribe(&mut connection, &wanted).await {
                return error;
            }
            // The replies are here; the confirmations come through the push path behind them.
            let confirmed_by = Instant::now() + ANSWER;
            while self.feed.any_stands(needs_subscribing) && Instant::now() < confirmed_by {
                let _ = tokio::time::timeout_at(confirmed_by, news.changed()).await;
            }
            let phase = if self.feed.all_stand(is_confirmed) {
                backoff.reset();
                Phase::Ready
            } else if self.feed.any_stands(needs_subscribing) {
                Phase::Connecting
            } else {
                Phase::Degraded
            };
            let error = (phase == Phase::Connecting).then(|| connection.unconfirmed());
            self.set_phase(phase, error);
            wanted = match phase {
                Phase::Ready => {
                    while !self.feed.any_stands(needs_subscribing) {
                        let _ = news.changed().await;
                    }
                    self.set_phase(Phase::Connecting, None);
                    self.feed.subscriptions(needs_subscribing)
                }
                Phase::Connecting | Phase::Degraded => {
                    let retry = Instant::now() + backoff.next();
                    while self.feed.all_stand(is_refused_or_confirmed) && Instant::now() < retry {
                        let _ = tokio::time::timeout_at(retry, news.changed()).await;
                    }
                    self.feed.subscriptions(|standing| !is_confirmed(standing))
                }
            };
        }
    }

    async fn subscribe(
        &self,
        connection: &mut Connection,
        wanted: &[Subscription],
    ) -> Result<(), Error> {
        for some in wanted.chunks(AT_ONCE) {
            let replies = timeout(ANSWER, connection.subscribe(some))
                .await
                .map_err(|_| {
                    Error::connection(format!(
                        "the server did not answer a subscription within {ANSWER:?}"
                    ))
                })??;
            for (subscription, refusal) in some.iter().zip(replies) {
                match refusal {
                    Some(reason) => self.denied(subscription, reason),
                    None => self.feed.accepted(subscription),
                }
            }
        }
        Ok(())
    }

    fn denied(&self, subscription: &Subscription, reason: String) {
        let reason = Arc::from(reason);
        // A retry that is denied for the same reason is no news.
        if self.feed.deny(subscription, &reason) {
            tracing::warn!(
                target: "redis_push",
                %subscription,
                %reason,
                "the server denies a subscription; it will be asked again"
            );
        }
    }

    /// Asks again for the invalidations that the owner of a shared connection has ended.
    pub(super) async fn keep_tracking(&self, connection: &mut Connection) -> Result<(), Error> {
        let mut tracked = self.feed.subscriptions(is_confirmed);
        tracked.retain(|subscription| subscription.kind() == Kind::Invalidation);
        let Ok(ended) = timeout(ANSWER, connection.untracked(tracked)).await else {
            // The `PING` behind it says what is wrong.
            return Ok(());
        };
        for subscription in ended? {
            tracing::warn!(
                target: "redis_push",
                %subscription,
                "the attached connection does not track any more; it is asked to again"
            );
            self.feed.ended(&subscription);
        }
        Ok(())
    }
}
