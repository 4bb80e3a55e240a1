//! The wake-up of many readers, during which messages go on arriving.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::task::Waker;

use super::shared::Shared;
use crate::util::Mutex;

/// So many readers that they are woken a part at a time.
///
/// Messages arrive meanwhile. If the readers that are woken first received them at once, every message would be a
/// batch of its own, and the readers that are woken last would receive these batches one by one. So until all of the
/// crowd are awake, its readers receive what had arrived before. What arrives meanwhile is gathered in one batch, for
/// the next crowd.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    /// Odd while a crowd is woken. Grows when it begins, and when all are awake.
    turn: AtomicU32,
    /// The channels with readers that wait until all are awake.
    late: Mutex<Vec<Arc<Shared>>>,
}

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
        let mut late = self.late.lock();
        self.turn.fetch_add(1, Relaxed);
        let late = std::mem::take(&mut *late);
        for shared in &late {
            shared.lock().end_crowd(wakers);
        }
        !late.is_empty()
    }

    /// Returns the number of the crowd that is woken, if one is.
    #[inline]
    pub(super) fn underway(&self) -> Option<u32> {
        Some(self.turn.load(Relaxed)).filter(|turn| turn % 2 == 1)
    }

    /// Lists a channel, whose readers are then woken when all of a crowd are awake. Returns false if they are.
    pub(super) fn list(&self, crowd: u32, shared: &Arc<Shared>) -> bool {
        let mut late = self.late.lock();
        let is_underway = self.underway() == Some(crowd);
        if is_underway {
            late.push(Arc::clone(shared));
        }
        is_underway
    }
}
