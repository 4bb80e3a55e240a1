//! How many names there are in each state, so that nobody has to walk over all of them to know.

use std::iter::Sum;

use super::placement::SubscriptionState;
use crate::subscription::Kind;
use crate::telemetry::NameStats;

/// Who wants a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WantedBy {
    /// At least one handler.
    Handlers,
    /// Streams only.
    Streams,
    /// Nobody any more.
    Nobody,
}

/// The names in each state.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    handlers: NameCounts,
    streams: NameCounts,
    /// The confirmed channels and patterns, wanted or not.
    confirmed_names: u64,
    confirmed_shards: u64,
    /// The names whose subscribe command is sent and not answered.
    in_flight: u64,
    /// The channels, patterns and sharded channels of handlers.
    subscribed: u64,
}

/// How many names of handlers, or of streams only, are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct NameCounts {
    pub(crate) all: u64,
    pub(crate) confirmed: u64,
    pub(crate) denied: u64,
}

impl NameCounts {
    /// Returns how many names the server has to be asked for.
    pub(crate) fn pending(&self) -> u64 {
        self.all - self.confirmed - self.denied
    }
}

impl Sum for NameCounts {
    fn sum<I: Iterator<Item = Self>>(each: I) -> Self {
        each.fold(Self::default(), |sum, one| Self {
            all: sum.all + one.all,
            confirmed: sum.confirmed + one.confirmed,
            denied: sum.denied + one.denied,
        })
    }
}

impl From<NameCounts> for NameStats {
    fn from(counts: NameCounts) -> Self {
        let NameCounts {
            all: desired,
            confirmed,
            denied,
        } = counts;
        Self {
            desired,
            confirmed,
            denied,
        }
    }
}

/// One name, as it is counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted<'s> {
    pub(super) wanted: WantedBy,
    pub(super) kind: Kind,
    pub(super) state: &'s SubscriptionState,
    pub(super) is_in_flight: bool,
}

impl Counts {
    pub(super) fn add(&mut self, name: Counted<'_>) {
        self.change(name, 1);
    }

    pub(super) fn remove(&mut self, name: Counted<'_>) {
        self.change(name, 1_u64.wrapping_neg());
    }

    /// Counts every name as pending and not asked for.
    pub(super) fn reset(&mut self) {
        let pending = |names: NameCounts| NameCounts {
            all: names.all,
            ..NameCounts::default()
        };
        *self = Self {
            handlers: pending(self.handlers),
            streams: pending(self.streams),
            subscribed: self.subscribed,
            ..Self::default()
        };
    }

    pub(super) fn of_handlers(&self) -> NameCounts {
        self.handlers
    }

    pub(super) fn of_streams(&self) -> NameCounts {
        self.streams
    }

    /// Returns how many sharded channels are confirmed, or how many channels and patterns.
    pub(super) fn confirmed(&self, are_shards: bool) -> u64 {
        if are_shards {
            self.confirmed_shards
        } else {
            self.confirmed_names
        }
    }

    /// Returns whether handlers want a channel, a pattern or a sharded channel.
    pub(super) fn has_subscribed(&self) -> bool {
        self.subscribed > 0
    }

    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    fn change(&mut self, name: Counted<'_>, by: u64) {
        let add = |count: &mut u64| *count = count.wrapping_add(by);
        let is_confirmed = name.state.is_confirmed();
        match name.kind {
            Kind::Channel | Kind::Pattern if is_confirmed => add(&mut self.confirmed_names),
            Kind::Shard if is_confirmed => add(&mut self.confirmed_shards),
            _ => {}
        }
        let is_subscribed = name.kind != Kind::Invalidation;
        if is_subscribed && name.wanted == WantedBy::Handlers {
            add(&mut self.subscribed);
        }
        let counts = match name.wanted {
            WantedBy::Handlers => &mut self.handlers,
            WantedBy::Streams => &mut self.streams,
            WantedBy::Nobody => return,
        };
        add(&mut counts.all);
        match name.state {
            SubscriptionState::Confirmed => add(&mut counts.confirmed),
            SubscriptionState::Denied(_) => add(&mut counts.denied),
            _ => {}
        }
        if name.is_in_flight {
            add(&mut self.in_flight);
        }
    }
}
