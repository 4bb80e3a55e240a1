use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::Result;

/// What a load has brought: a value, or none because the key is absent.
pub(super) type Outcome<V> = Result<Option<Arc<V>>>;

/// Copies an outcome for another caller.
pub(super) fn again<V>(outcome: &Outcome<V>) -> Outcome<V> {
    match outcome {
        Ok(value) => Ok(value.clone()),
        Err(error) => Err(error.again()),
    }
}

/// One load of one key, for all who ask for the key meanwhile. One of them at a time does it.
pub(super) struct Flight<V> {
    /// Has a permit while nobody loads, and is closed when there is an outcome.
    turn: Semaphore,
    outcome: OnceLock<Outcome<V>>,
    /// How many take part. Changed under the lock of the store.
    pub(super) takes_part: AtomicUsize,
}

impl<V> Flight<V> {
    pub(super) fn new() -> Self {
        Self {
            turn: Semaphore::new(1),
            outcome: OnceLock::new(),
            takes_part: AtomicUsize::new(0),
        }
    }

    /// Takes the turn to load, if nobody has it and there is no outcome.
    pub(super) fn try_turn(&self) -> bool {
        let permit = self.turn.try_acquire();
        permit.map(SemaphorePermit::forget).is_ok()
    }

    /// Waits for the outcome. Returns `None` if there is none and it is the caller's turn to load.
    ///
    /// Cancel safe: if the future is dropped, the turn is not taken.
    pub(super) async fn outcome(&self) -> Option<Outcome<V>> {
        if let Ok(permit) = self.turn.acquire().await {
            permit.forget();
            return None;
        }
        let outcome = self.outcome.get().expect("closed with an outcome");
        Some(again(outcome))
    }

    /// Gives the turn to the next one who waits.
    pub(super) fn hand_over(&self) {
        self.turn.add_permits(1);
    }

    /// Ends the load with its outcome.
    pub(super) fn end(&self, outcome: Outcome<V>) {
        // There is one turn, so nobody else has set it.
        let _ = self.outcome.set(outcome);
        self.turn.close();
    }

    pub(super) fn is_over(&self) -> bool {
        self.turn.is_closed()
    }
}
