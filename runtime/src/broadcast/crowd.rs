//! The wake-up of many readers, during which messages go on arriving.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Waker;

use super::shared::Shared;
use crate::util::{AtomicUsize, Mutex};

/// So many readers that they are woken a part at a time.
///
/// Messages arrive meanwhile. If the readers that are woken first received them at once, every message would be a
/// batch of its own, and the readers that are woken last would receive these batches one by one. So until all of the
/// crowd are awake, the readers of its channels receive what had arrived before. A few messages that arrive meanwhile
/// are gathered in one batch, for the next crowd.
///
/// Crowds have odd numbers, which change under the dispatcher's lock only.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    /// The number of the crowd that is woken, or that of the last one plus one.
    turn: AtomicUsize,
    /// The channels with readers that wait until all are awake.
    late: Mutex<Vec<Arc<Shared>>>,
}

/// The number of a crowd. It is small, since there may be many channels. If one comes again after all others and a
/// channel still has it, its readers wait for that crowd once, and miss nothing.
pub(super) type Number = u16;

impl Crowd {
    /// More readers than this are a crowd. Under the model checker, two are one.
    pub(crate) const MORE_THAN: usize = if cfg!(all(test, shuttle)) { 1 } else { 64 };

    /// From now on, a crowd is woken.
    pub(crate) fn begin(&self) {
        self.turn.fetch_add(1, Relaxed);
    }

    /// All of the crowd are awake. Moves the wakers of the readers that have waited for that to `wakers`. Returns
    /// whether there were any.
    pub(crate) fn end(&self, wakers: &mut Vec<Waker>) -> bool {
        let late = {
            let mut late = self.late.lock();
            self.turn.fetch_add(1, Relaxed);
            // Unlocked before the channels are locked: a reader locks them in the other order.
            std::mem::take(&mut *late)
        };
        for shared in &late {
            shared.lock().end_crowd(wakers);
        }
        !late.is_empty()
    }

    /// Returns the number of the crowd that is woken, if one is.
    #[inline]
    pub(super) fn underway(&self) -> Option<Number> {
        Some(self.turn()).filter(|turn| turn % 2 == 1)
    }

    /// Returns the number of the crowd for which wakers are gathered.
    #[inline]
    pub(super) fn next(&self) -> Number {
        self.turn().wrapping_add(1) | 1
    }

    #[inline]
    fn turn(&self) -> Number {
        self.turn.load(Relaxed) as Number
    }

    /// Lists a channel, whose readers are then woken when all of a crowd are awake. Returns false if they are.
    pub(super) fn list(&self, crowd: Number, shared: &Arc<Shared>) -> bool {
        let mut late = self.late.lock();
        let is_underway = self.underway() == Some(crowd);
        if is_underway {
            late.push(Arc::clone(shared));
        }
        is_underway
    }
}
