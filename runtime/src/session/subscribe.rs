//! Subscribes to every name, and retries the names that are not confirmed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{timeout, timeout_at};

use super::status::Phase;
use super::{MAX_PIPELINED, REPLY_TIMEOUT, Session};
use crate::connection::Connection;
use crate::dispatch::SubscriptionState;
use crate::error::Error;
use crate::subscription::{Kind, Subscription};
use crate::util::{Backoff, clock};

impl Session {
    /// Subscribes to the names that are not live, whenever there are any, and publishes the phase.
    /// Returns when the connection is lost.
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
            // The replies are here. The confirmations are pushes, and may arrive later.
            let confirmed_by = clock::now() + REPLY_TIMEOUT;
            while self.dispatcher.any_is(SubscriptionState::needs_subscribing)
                && clock::now() < confirmed_by
            {
                let _ = timeout_at(confirmed_by, changed.changed()).await;
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
                        let _ = timeout_at(retry, changed.changed()).await;
                    }
                    self.dispatcher.subscriptions(|state| !state.is_confirmed())
                }
            };
        }
    }

    /// Sends the subscribe commands, and passes the replies to the dispatcher.
    async fn subscribe(
        &self,
        connection: &mut Connection,
        wanted: &[Subscription],
    ) -> Result<(), Error> {
        for chunk in wanted.chunks(MAX_PIPELINED) {
            let replies = timeout(REPLY_TIMEOUT, connection.subscribe(chunk))
                .await
                .map_err(|_| {
                    Error::connection(format!(
                        "the server did not answer a subscribe command within {REPLY_TIMEOUT:?}"
                    ))
                })??;
            for (subscription, refusal) in chunk.iter().zip(replies) {
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
        // A retry that is denied for the same reason is not reported again.
        if self.dispatcher.deny(subscription, &reason) {
            tracing::warn!(
                target: "redis_push",
                %subscription,
                %reason,
                "subscription denied by the server; retrying"
            );
        }
    }

    /// Finds the invalidations that the owner of a shared connection has ended, so that they are
    /// requested again.
    pub(super) async fn keep_tracking(&self, connection: &mut Connection) -> Result<(), Error> {
        let mut tracked = self
            .dispatcher
            .subscriptions(SubscriptionState::is_confirmed);
        tracked.retain(|subscription| subscription.kind() == Kind::Invalidation);
        let Ok(ended) = timeout(REPLY_TIMEOUT, connection.untracked(tracked)).await else {
            // The `PING` that follows finds out what is wrong.
            return Ok(());
        };
        for subscription in ended? {
            tracing::warn!(
                target: "redis_push",
                %subscription,
                "tracking has ended on the attached connection; enabling it again"
            );
            self.dispatcher.ended(&subscription);
        }
        Ok(())
    }
}
