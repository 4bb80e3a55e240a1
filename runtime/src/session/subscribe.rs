//! Subscribes to every name, and retries the names that are not confirmed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{timeout, timeout_at};

use super::status::Phase;
use super::{MAX_PIPELINED, REPLY_TIMEOUT, Session};
use crate::connection::{Connection, Reply};
use crate::dispatch::SubscriptionState;
use crate::error::Error;
use crate::subscription::{Kind, Subscription};
use crate::util::{Backoff, clock};

/// How long confirmations may arrive after other pushes.
const MAX_CONFIRMATION_DELAY: Duration = Duration::from_secs(60);

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
            let not_now = match self.request(&mut connection, &mut wanted).await {
                Ok(not_now) => not_now,
                Err(error) => return error,
            };
            if not_now.is_none() {
                self.wait_for_confirmations(&connection).await;
            }
            let phase = if self.dispatcher.all_are(SubscriptionState::is_confirmed) {
                backoff.reset();
                Phase::Confirmed
            } else if self.dispatcher.any_is(SubscriptionState::needs_subscribing) {
                Phase::Pending
            } else {
                Phase::SomeDenied
            };
            let error = (phase == Phase::Pending).then(|| match not_now {
                Some(reason) => Error::connection(format!(
                    "the server does not subscribe at present ({reason}), and is asked again"
                )),
                None => connection.unconfirmed(),
            });
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
                    // A name that ends, or the last confirmation, ends the pause.
                    let was_answered = phase == Phase::SomeDenied;
                    let retry = clock::now() + backoff.next();
                    while self.dispatcher.all_are(SubscriptionState::is_answered) == was_answered
                        && clock::now() < retry
                    {
                        let _ = timeout_at(retry, changed.changed()).await;
                    }
                    self.dispatcher.subscriptions(|state| !state.is_confirmed())
                }
            };
        }
    }

    /// Waits until every name is confirmed or denied, and gives up when the server has been silent
    /// for [`REPLY_TIMEOUT`]: the replies are here, but the confirmations are pushes and may arrive
    /// later. An attached channel may have lost them, among pushes that still arrive.
    async fn wait_for_confirmations(&self, connection: &Connection) {
        let most = if connection.is_shared() {
            REPLY_TIMEOUT
        } else {
            MAX_CONFIRMATION_DELAY
        };
        let mut changed = self.dispatcher.changed();
        let settled = async {
            while self.dispatcher.any_is(SubscriptionState::needs_subscribing) {
                let _ = changed.changed().await;
            }
        };
        let _ = timeout(most, self.unless_silent(REPLY_TIMEOUT, settled)).await;
    }

    /// Checks the names, and subscribes to them. Returns why the server did not execute a command, if it
    /// may execute it later.
    async fn request(
        &self,
        connection: &mut Connection,
        wanted: &mut Vec<Subscription>,
    ) -> Result<Option<String>, Error> {
        let no_setting = self.check_key_events(connection, wanted).await?;
        let not_now = self.subscribe(connection, wanted).await?;
        Ok(not_now.or(no_setting))
    }

    /// Sends the subscribe commands, and passes the replies to the dispatcher. Returns why the server
    /// did not execute a command, if it may execute it later.
    async fn subscribe(
        &self,
        connection: &mut Connection,
        wanted: &[Subscription],
    ) -> Result<Option<String>, Error> {
        let mut not_now = None;
        for chunk in wanted.chunks(MAX_PIPELINED) {
            self.dispatcher.ask(chunk, clock::wall());
            let replies = self
                .unless_silent(REPLY_TIMEOUT, connection.subscribe(chunk))
                .await
                .ok_or_else(|| {
                    Error::connection(format!(
                        "the server has sent nothing for {REPLY_TIMEOUT:?} after a subscribe command"
                    ))
                })??;
            for (subscription, reply) in chunk.iter().zip(replies) {
                match reply {
                    Reply::Accepted => self.dispatcher.accepted(subscription),
                    Reply::Denied(reason) => self.denied(subscription, Arc::from(reason)),
                    Reply::NotNow(reason) => {
                        self.dispatcher.postpone(subscription);
                        not_now = Some(reason);
                    }
                }
            }
        }
        Ok(not_now)
    }

    pub(super) fn denied(&self, subscription: &Subscription, reason: Arc<str>) {
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
        let asking = connection.untracked(tracked);
        let Some(ended) = self.unless_silent(REPLY_TIMEOUT, asking).await else {
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
