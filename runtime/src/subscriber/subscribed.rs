//! The line in the log of a start that says what is subscribed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::running::Running;
use crate::dispatch::{Dispatcher, SubscriptionState};
use crate::session::{Phase, Status};
use crate::subscription::{Kind, Subscription};
use crate::tasks::TaskName;
use crate::util::Escaped;

/// The largest number of names that the line shows.
const MOST_NAMED: usize = 20;

impl Running {
    /// Logs what the server has confirmed. A name that is denied has its own line, with the reason.
    pub(super) fn log_subscribed(&self) {
        log(&self.dispatcher, self.handlers.len());
    }

    /// Does the same as soon as every name is confirmed or denied, on a task of its own.
    pub(super) fn log_when_subscribed(&mut self) {
        let (status, dispatcher) = (self.status.clone(), Arc::clone(&self.dispatcher));
        let handlers = self.handlers.len();
        let task = self.tasks.spawn(TaskName::StartLog, move || {
            let (mut status, dispatcher) = (status.clone(), Arc::clone(&dispatcher));
            async move {
                let is_answered = |status: &Status| status.phase != Phase::Pending;
                if status.wait_for(is_answered).await.is_ok() {
                    log(&dispatcher, handlers);
                }
            }
        });
        self.background.push(task);
    }
}

fn log(dispatcher: &Dispatcher, handlers: usize) {
    // A subscriber whose readers come later has nothing to list.
    if handlers == 0 {
        return;
    }
    let mut confirmed = dispatcher.subscriptions(SubscriptionState::is_confirmed);
    confirmed.retain(|subscription| subscription.kind() != Kind::Connection);
    tracing::info!(
        target: "redis_push",
        handlers,
        "subscribed to {}",
        Subscribed::of(&confirmed),
    );
}

/// Subscriptions: how many of each kind, and the first names.
struct Subscribed<'a> {
    counts: BTreeMap<Kind, usize>,
    names: Vec<&'a Subscription>,
}

impl<'a> Subscribed<'a> {
    fn of(subscriptions: &'a [Subscription]) -> Self {
        let mut counts = BTreeMap::new();
        for subscription in subscriptions {
            *counts.entry(subscription.kind()).or_default() += 1;
        }
        let mut names: Vec<_> = subscriptions.iter().collect();
        names.sort_unstable_by_key(|subscription| (subscription.kind(), subscription.name()));
        Self { counts, names }
    }
}

impl fmt::Display for Subscribed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.names.is_empty() {
            return f.write_str("nothing on the server");
        }
        for (index, (kind, count)) in self.counts.iter().enumerate() {
            let (before, plural) = (
                if index == 0 { "" } else { ", " },
                if *count == 1 { "" } else { "s" },
            );
            write!(f, "{before}{count} {kind}{plural}")?;
        }
        for (index, subscription) in self.names.iter().take(MOST_NAMED).enumerate() {
            let before = if index == 0 { ": " } else { ", " };
            write!(f, "{before}`{}`", Escaped(subscription.name().as_bytes()))?;
        }
        match self.names.len().saturating_sub(MOST_NAMED) {
            0 => Ok(()),
            more => write!(f, ", and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(subscriptions: &[Subscription]) -> String {
        Subscribed::of(subscriptions).to_string()
    }

    #[test]
    fn subscriptions_are_counted_by_kind_and_named() {
        let subscriptions = [
            Subscription::template("quotes.{symbol}").unwrap(),
            Subscription::channel("b"),
            Subscription::channel("a\n"),
            Subscription::shard("s"),
            Subscription::invalidation("user:"),
        ];
        assert_eq!(
            text(&subscriptions),
            r"2 channels, 1 pattern, 1 sharded channel, 1 invalidation: `a\n`, `b`, `quotes.*`, `s`, `user:`"
        );
        assert_eq!(text(&[]), "nothing on the server");
    }

    #[test]
    fn many_and_long_names_are_cut() {
        let many: Vec<_> = (0..1_000)
            .map(|number| Subscription::channel(format!("{number:03}{}", "x".repeat(1_000))))
            .collect();
        let text = text(&many);
        assert!(text.starts_with("1000 channels: `000xxx"), "{text}");
        assert!(text.contains("`019x") && !text.contains("`020x"), "{text}");
        assert!(text.ends_with(", and 980 more"), "{text}");
        assert!(text.len() < 4_000, "{text}");
    }
}
