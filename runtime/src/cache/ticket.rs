use std::sync::Arc;

use super::entries::Entry;
use super::flight::{Flight, Outcome, again};
use super::source::Loaded;
use super::store::Store;
use crate::error::{Error, Result};
use crate::util::call;

/// What there is for a key.
pub(super) enum Found<F, V> {
    /// A value, or that there is none; or the outcome of a load.
    Known(Outcome<V>),
    /// A load, in which the caller takes part.
    Loading(F),
    /// It is not known what has changed, so nothing may be served or kept.
    NotSynced,
}

impl<F, V> Found<F, V> {
    pub(super) fn is_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }

    /// Takes what was found out of its place.
    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::NotSynced)
    }
}

impl<V> Found<Ticket<'_, V>, V> {
    /// Returns whether the caller has to load the value now.
    pub(super) fn try_turn(&mut self) -> bool {
        match self {
            Self::Known(_) => false,
            Self::Loading(ticket) => ticket.try_turn(),
            Self::NotSynced => true,
        }
    }

    /// Ends the load with what it has brought.
    pub(super) fn end(&mut self, loaded: Result<Loaded<V>>) {
        *self = Self::Known(match self.take() {
            Self::Loading(ticket) => ticket.end(loaded),
            Self::Known(_) | Self::NotSynced => loaded.map(|loaded| loaded.value.map(Arc::new)),
        });
    }
}

/// The part of one caller in a load. If it is dropped while it has the turn, the next caller gets it.
pub(super) struct Ticket<'s, V> {
    store: &'s Store<V>,
    param: Box<str>,
    flight: Arc<Flight<V>>,
    /// Whether it is this caller who loads.
    has_turn: bool,
}

impl<'s, V> Ticket<'s, V> {
    /// Creates the ticket of one who is counted in the flight.
    pub(super) fn new(store: &'s Store<V>, param: &str, flight: Arc<Flight<V>>) -> Self {
        Self {
            store,
            param: param.into(),
            flight,
            has_turn: false,
        }
    }

    /// Takes the turn to load, if nobody has it.
    pub(super) fn try_turn(&mut self) -> bool {
        self.has_turn = self.flight.try_turn();
        self.has_turn
    }

    /// Waits for the outcome of the load. Returns `None` when it is the turn of this caller.
    pub(super) async fn outcome(&mut self) -> Option<Outcome<V>> {
        let outcome = self.flight.outcome().await;
        self.has_turn = outcome.is_none();
        outcome
    }

    /// Ends the load with what it has brought, for all who take part. It is kept for later callers
    /// unless it may be out of date.
    pub(super) fn end(self, loaded: Result<Loaded<V>>) -> Outcome<V> {
        let Self { store, param, .. } = &self;
        let weighed = loaded.and_then(|Loaded { value, until }| {
            let weight = call(|| store.capacity.weight(param, value.as_ref()));
            let weight = weight.map_err(|panic| {
                let key = store.keys.key(param);
                Error::load(format!("the weight of `{key}` is not known: {panic}"))
            })?;
            Ok((value.map(Arc::new), weight, until))
        });
        let entry = weighed.as_ref().ok();
        let entry = entry.map(|(value, weight, until)| Entry::new(value.clone(), *weight, *until));
        store.land(param, &self.flight, entry);
        let outcome = weighed.map(|(value, ..)| value);
        self.flight.end(again(&outcome));
        outcome
    }
}

impl<V> Drop for Ticket<'_, V> {
    fn drop(&mut self) {
        if self.flight.is_over() {
            return;
        }
        if self.has_turn {
            self.flight.hand_over();
        }
        self.store.leave(&self.param, &self.flight);
    }
}
