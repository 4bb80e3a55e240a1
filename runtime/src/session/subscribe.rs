//! Subscribing to every name, and the retries for those that are not confirmed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::status::Phase;
use super::{ANSWER, AT_ONCE, Session};
use crate::connection::Connection;
use crate::dispatch::SubscriptionState;
use crate::error::Error;
use crate::subscription::{Kind, Subscription};
use crate::util::{Backoff, clock};

impl Session {
    /// Subscribes to what is not live, again and again, and says how it stands.
    pub(super) async fn keep_subscribed(&self, mut connection: Connection) -> Error {
        let mut changed = self.dispatcher.changed();
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));
        let mut wanted = self
            .dispatcher
            .subscriptions(SubscriptionState::needs_subscribing);
        loop {
            if let Err(error) = self.subscribe(&mut connection, &wanted).await {
                return error;
            }
            // The replies are here; the confirmations come through the push path behind them.
            let confirmed_by = clock::now() + ANSWER;
            while self.dispatcher.any_is(SubscriptionState::needs_subscribing)
                && clock::now() < confirmed_by
            {
                let _ = tokio::time::timeout_at(confirmed_by, changed.changed()).await;
            }
            let phase = if self.dispatcher.all_are(SubscriptionState::is_confirmed) {
                backoff.reset();
                Phase::Confirmed
            } else if self.dispatcher.any_is(SubscriptionState::needs_subscribing) {
                Phase::Pending
            } else {
                Phase::SomeDenied
            };
            let error = (phase == Phase::Pending).then(|| connection.unconfirmed());
            self.set_phase(phase, error);
            wanted = match phase {
                Phase::Confirmed => {
                    while !self.dispatcher.any_is(SubscriptionState::needs_subscribing) {
                        let _ = changed.changed().await;
                    }
                    self.set_phase(Phase::Pending, None);
                    self.dispatcher
                        .subscriptions(SubscriptionState::needs_subscribing)
                }
                Phase::Pending | Phase::SomeDenied => {
                    let retry = clock::now() + backoff.next();
                    while self.dispatcher.all_are(SubscriptionState::is_answered)
                        && clock::now() < retry
                    {
                        let _ = tokio::time::timeout_at(retry, changed.changed()).await;
                    }
                    self.dispatcher.subscriptions(|state| !state.is_confirmed())
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
                    None => self.dispatcher.accepted(subscription),
                }
            }
        }
        Ok(())
    }

    fn denied(&self, subscription: &Subscription, reason: String) {
        let reason = Arc::from(reason);
        // A retry that is denied for the same reason is no news.
        if self.dispatcher.deny(subscription, &reason) {
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
        let mut tracked = self
            .dispatcher
            .subscriptions(SubscriptionState::is_confirmed);
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
            self.dispatcher.ended(&subscription);
        }
        Ok(())
    }
}
