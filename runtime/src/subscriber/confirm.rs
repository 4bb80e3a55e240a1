//! The wait of `start` for the first confirmation of every subscription, and the error that lists the
//! missing ones.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::running::Running;
use crate::dispatch::{SubscriptionState, Unconfirmed, UnconfirmedName};
use crate::error::{Error, Result};
use crate::handler::Spec;
use crate::session::{Phase, Status};
use crate::subscription::Subscription;

/// The largest number of names that an error lists.
const MOST_LISTED: usize = 20;

impl Running {
    /// Waits until every subscription is confirmed.
    ///
    /// If there is a deadline, a final refusal by the server ends the wait early.
    pub(super) async fn confirmed(
        &self,
        deadline: Option<Duration>,
        allows_denied: bool,
    ) -> Result<()> {
        let is_started = |status: &Status| match status.phase {
            Phase::Pending => false,
            Phase::SomeDenied => allows_denied,
            Phase::Confirmed => true,
        };
        let mut status = self.status.clone();
        let Some(deadline) = deadline else {
            // The session lives as long as this does.
            let _ = status.wait_for(is_started).await;
            return Ok(());
        };
        // The status at the end of the wait: it may have changed since.
        let decided = timeout(deadline, async {
            let decided = status.wait_for(is_decided).await;
            decided.ok().map(|decided| decided.clone())
        })
        .await;
        let timed_out = decided.is_err().then_some(deadline);
        let status = match decided {
            Ok(Some(status)) => status,
            Ok(None) | Err(_) => self.status.borrow().clone(),
        };
        if is_started(&status) {
            return Ok(());
        }
        Err(self.explain(&status, timed_out, allows_denied))
    }

    /// Builds an error that lists the missing subscriptions, the handlers that need them, and the
    /// reasons.
    fn explain(&self, status: &Status, timed_out: Option<Duration>, allows_denied: bool) -> Error {
        let Unconfirmed {
            names: missing,
            total,
        } = self.dispatcher.unconfirmed();
        let mut text = match timed_out {
            Some(deadline) => format!("not started within {deadline:?}"),
            None => String::from("not started"),
        };
        let is_pending = status.phase == Phase::Pending;
        let connection = status.error.as_ref().filter(|_| is_pending);
        if let Some(error) = connection {
            let _ = write!(text, ": {error}");
        }
        if total > 0 {
            let separator = if connection.is_some() { ';' } else { ':' };
            let count = missing.len();
            let _ = write!(
                text,
                "{separator} {count} of {total} subscriptions not confirmed:"
            );
        }
        for name in missing.iter().take(MOST_LISTED) {
            let UnconfirmedName {
                subscription,
                state,
                node,
            } = name;
            let _ = write!(text, "\n  {subscription}");
            if let Some(place) = self.board.place_of(*node, subscription) {
                let _ = write!(text, " ({place})");
            }
            for label in self.labels_of(subscription) {
                let _ = write!(text, ", for {label}");
            }
            if let SubscriptionState::Denied(reason) = state {
                let _ = write!(text, ": {reason}");
            }
        }
        if missing.len() > MOST_LISTED {
            let _ = write!(text, "\n  … and {} more", missing.len() - MOST_LISTED);
        }
        let is_denied = |name: &UnconfirmedName| matches!(name.state, SubscriptionState::Denied(_));
        let error = match connection {
            Some(error) if error.is_auth() => Error::auth(text),
            Some(error) if error.is_config() => Error::config(text),
            Some(error) if error.is_tls() => Error::tls(text),
            _ if !allows_denied && missing.iter().any(is_denied) => Error::denied(text),
            _ => Error::timeout(text),
        };
        match connection {
            Some(cause) => error.caused_by(Arc::clone(cause)),
            None => error,
        }
    }

    /// Returns the labels of the handlers that listen to a subscription: name, file and line.
    fn labels_of(&self, wanted: &Subscription) -> impl Iterator<Item = String> {
        let handlers = self.handlers.running();
        let specs = handlers.iter().map(|handler| &handler.context.spec);
        let listens = |subscription: &Subscription| subscription.key() == wanted.key();
        let labels: Vec<_> = specs
            .filter(|spec| spec.subscriptions.iter().any(listens))
            .map(Spec::label)
            .collect();
        labels.into_iter()
    }
}

/// Whether every name is answered, or the connection failed with an error that retries do not fix.
fn is_decided(status: &Status) -> bool {
    let is_final = |error: &Arc<Error>| error.is_auth() || error.is_config() || error.is_tls();
    status.phase != Phase::Pending || status.error.as_ref().is_some_and(is_final)
}
