//! Subscribes to every name, and retries the names that are not confirmed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::coordinator::Notice;
use super::status::Phase;
use super::{MAX_PIPELINED, REPLY_TIMEOUT, Session};
use crate::connection::{Connection, Moved, Reply};
use crate::dispatch::{Agenda, WantedBy};
use crate::error::Error;
use crate::subscription::{Kind, Subscription};
use crate::util::{Backoff, clock};

/// How long confirmations may arrive after other pushes.
const MAX_CONFIRMATION_DELAY: Duration = Duration::from_secs(60);

impl Session {
    /// Subscribes to what is wanted, ends the subscriptions that nobody wants any more, and publishes
    /// the phase. Returns when the connection is lost.
    ///
    /// Names come and go at any time. A turn takes a part of what has changed from the dispatcher, and
    /// does not look at the other names. There may always be more to do, so each turn leaves names as
    /// well as asks for some, and is followed by everything else that is due.
    pub(super) async fn keep_subscribed(&self, mut connection: Connection) -> Error {
        let mut changed = self.dispatcher.changed();
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));
        let mut retry = None;
        loop {
            changed.mark_unchanged();
            let not_now = match self.take_turn(&mut connection).await {
                Ok(not_now) => not_now,
                Err(error) => return error,
            };
            let agenda = self.dispatcher.agenda(self.node);
            self.publish_phase(&agenda, not_now);
            let is_settled = !agenda.has_wanted && !agenda.has_retries && agenda.in_flight == 0;
            if is_settled {
                backoff.reset();
                retry = None;
            } else if agenda.has_retries && retry.is_none() {
                retry = Some(clock::now() + backoff.next());
            }
            let overdue = agenda.asked.map(|asked| asked + most_delay(&connection));
            let waited = match what_is_due(&agenda, retry, overdue) {
                Some(due) => due,
                None => self.wait(&mut changed, &agenda, retry, overdue).await,
            };
            match waited {
                Waited::Changed => {}
                Waited::Retry => {
                    retry = None;
                    self.dispatcher.retry(self.node);
                }
                Waited::NotConfirmed => {
                    if agenda.handlers.pending() > 0 {
                        self.set_phase(Phase::Pending, Some(connection.unconfirmed()));
                    }
                    self.dispatcher.postpone_unanswered(self.node);
                }
            }
        }
    }

    /// Leaves and requests the next names, in one exchange. Returns why the server did not execute a
    /// command, if it may execute it later.
    async fn take_turn(&self, connection: &mut Connection) -> Result<Option<String>, Error> {
        // The owner of a shared connection may use the same names.
        let can_leave = !connection.is_shared();
        let now = clock::now();
        // First, because a name that is asked for in this turn is not left before the next one.
        let leaving = self
            .dispatcher
            .next_leaving(self.node, MAX_PIPELINED, now, can_leave);
        let mut wanted = self
            .dispatcher
            .next_wanted(self.node, MAX_PIPELINED, clock::wall());
        let no_setting = self.check_key_events(connection, &mut wanted).await?;
        self.make_room_for_prefixes(connection, &wanted).await?;
        let exchanging = self.unless_silent(REPLY_TIMEOUT, connection.change(&leaving, &wanted));
        let (left, replies) = exchanging
            .await
            .ok_or_else(|| silent("a subscribe or unsubscribe command"))??;
        for (subscription, reply) in leaving.iter().zip(left) {
            if !matches!(reply, Reply::Accepted) {
                self.dispatcher.not_left(self.node, subscription);
            }
        }
        let mut not_now = no_setting;
        for (subscription, reply) in wanted.iter().zip(replies) {
            match reply {
                Reply::Accepted => self.dispatcher.accepted(self.node, subscription),
                Reply::Denied(reason) => self.denied(subscription, Arc::from(reason)),
                Reply::Moved { reason, to } => self.moved(subscription, reason, to),
                Reply::NotNow(reason) => {
                    self.dispatcher.postpone(self.node, subscription);
                    not_now = Some(reason);
                }
            }
        }
        Ok(not_now)
    }

    /// Publishes how the names of handlers stand. Those of streams do not count: a name that is denied
    /// to one of them is the error of that stream alone.
    fn publish_phase(&self, agenda: &Agenda, not_now: Option<String>) {
        let names = &agenda.handlers;
        let phase = if names.confirmed == names.all {
            Phase::Confirmed
        } else if names.pending() > 0 {
            Phase::Pending
        } else {
            Phase::SomeDenied
        };
        let error = not_now.filter(|_| phase == Phase::Pending).map(|reason| {
            Error::connection(format!(
                "the server does not subscribe at present ({reason}), and is asked again"
            ))
        });
        self.set_phase(phase, error);
    }

    /// Waits until there is something to do: a name has changed, a retry is due, or a confirmation is
    /// overdue.
    ///
    /// The replies to the subscribe commands are here, but the confirmations are pushes and may arrive
    /// later. They are overdue when the server has been silent for [`REPLY_TIMEOUT`], and at the time
    /// `overdue`.
    async fn wait(
        &self,
        changed: &mut watch::Receiver<()>,
        agenda: &Agenda,
        retry: Option<Instant>,
        overdue: Option<Instant>,
    ) -> Waited {
        let event = async {
            tokio::select! {
                _ = changed.changed() => Waited::Changed,
                () = until(retry) => Waited::Retry,
                () = until(agenda.leave_at) => Waited::Changed,
            }
        };
        let Some(overdue) = overdue else {
            return event.await;
        };
        let waiting = self.unless_silent(REPLY_TIMEOUT, event);
        let waited = timeout_at(overdue, waiting).await;
        waited.ok().flatten().unwrap_or(Waited::NotConfirmed)
    }

    /// Ends the tracking of all prefixes if the server tracks one that begins with a new one: then it
    /// would refuse the new one. The others are requested again.
    async fn make_room_for_prefixes(
        &self,
        connection: &mut Connection,
        wanted: &[Subscription],
    ) -> Result<(), Error> {
        let is_prefix = |one: &&Subscription| one.kind() == Kind::Invalidation;
        let mut new = wanted.iter().filter(is_prefix);
        // The owner of a shared connection may track keys too.
        if connection.is_shared() || !new.any(|one| connection.tracks_a_longer(one.name())) {
            return Ok(());
        }
        // Some of them may be tracked as a part of a shorter one.
        let mut others = self.dispatcher.asked_prefixes(self.node);
        others.retain(|one| !wanted.contains(one));
        let untracking = self.unless_silent(REPLY_TIMEOUT, connection.end_tracking(&others));
        untracking
            .await
            .ok_or_else(|| silent("`CLIENT TRACKING OFF`"))?
    }

    /// Passes on that another node of the cluster has a name.
    fn moved(&self, subscription: &Subscription, reason: String, moved: Moved) {
        let Some(notices) = &self.notices else {
            let hint = "this server is one node of a cluster: use `Subscriber::cluster`";
            return self.denied(subscription, format!("{reason} ({hint})").into());
        };
        self.dispatcher.refused(self.node, subscription);
        let _ = notices.send(Notice::Moved {
            from: self.node,
            subscription: subscription.clone(),
            moved,
        });
    }

    pub(super) fn denied(&self, subscription: &Subscription, reason: Arc<str>) {
        // A retry that is denied for the same reason is not reported again.
        match self.dispatcher.deny(self.node, subscription, &reason) {
            Some(WantedBy::Handlers) => tracing::warn!(
                target: "redis_push",
                %subscription,
                %reason,
                "subscription denied by the server; retrying"
            ),
            // The names of streams may come from the users of a service, so there may be any number.
            Some(WantedBy::Streams) => self.denied_streams.report(|suppressed| {
                tracing::warn!(
                    target: "redis_push",
                    %subscription,
                    %reason,
                    suppressed,
                    "subscription of a stream denied by the server; retrying"
                );
            }),
            Some(WantedBy::Nobody) | None => {}
        }
    }

    /// Finds the invalidations that the owner of a shared connection has ended, so that they are
    /// requested again.
    pub(super) async fn keep_tracking(&self, connection: &mut Connection) -> Result<(), Error> {
        let tracked = self.dispatcher.tracked(self.node);
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
            self.dispatcher.ended(self.node, &subscription);
        }
        Ok(())
    }
}

/// Why a wait has ended.
enum Waited {
    /// Something has changed.
    Changed,
    /// It is time to ask again for what is denied or postponed.
    Retry,
    /// Confirmations have not arrived.
    NotConfirmed,
}

/// Returns what is due already, if anything is: what must not wait until no name comes or goes any more,
/// and then the next of these.
fn what_is_due(
    agenda: &Agenda,
    retry: Option<Instant>,
    overdue: Option<Instant>,
) -> Option<Waited> {
    let now = clock::now();
    let is_due = |time: Option<Instant>| time.is_some_and(|time| time <= now);
    if is_due(retry) {
        Some(Waited::Retry)
    } else if is_due(overdue) {
        Some(Waited::NotConfirmed)
    } else if agenda.has_wanted || is_due(agenda.leave_at) {
        Some(Waited::Changed)
    } else {
        None
    }
}

/// Returns how long a confirmation may take while other pushes arrive. An attached channel may have lost
/// it among them.
fn most_delay(connection: &Connection) -> Duration {
    if connection.is_shared() {
        REPLY_TIMEOUT
    } else {
        MAX_CONFIRMATION_DELAY
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn silent(after: &str) -> Error {
    Error::connection(format!(
        "the server has sent nothing for {REPLY_TIMEOUT:?} after {after}"
    ))
}
