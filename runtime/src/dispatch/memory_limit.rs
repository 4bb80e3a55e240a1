use std::sync::Arc;

use crate::broadcast::Shared;
use crate::push::Batch;

/// Keeps the bytes that wait in all broadcast channels together below a limit.
///
/// One counter of all bytes would be a cache line that every handler writes. Instead, the channels
/// are checked each time a small part of the limit has arrived.
#[derive(Debug)]
pub(super) struct MemoryLimit {
    limit: usize,
    /// How many bytes may arrive before the next check.
    allowance: usize,
}

impl MemoryLimit {
    pub(super) fn new(limit: usize) -> Self {
        let part = Self::part(limit);
        Self {
            limit,
            allowance: part,
        }
    }

    /// Records a push of `bytes` for `broadcasts` channels. Returns whether a check is due.
    pub(super) fn is_due(&mut self, bytes: usize, broadcasts: usize) -> bool {
        let weight = (bytes + Batch::ENTRY_BYTES).saturating_mul(broadcasts);
        match self.allowance.checked_sub(weight) {
            Some(rest) => self.allowance = rest,
            None => self.allowance = 0,
        }
        self.allowance == 0
    }

    /// Drops the oldest pushes of the fullest channels, until there is room for all that may arrive
    /// before the next check.
    pub(super) fn shed(&mut self, broadcasts: &[Arc<Shared>]) {
        let part = Self::part(self.limit);
        let goal = self.limit.saturating_sub(part);
        let mut held: Vec<usize> = broadcasts
            .iter()
            .map(|shared| shared.held_bytes())
            .collect();
        let mut total: usize = held.iter().sum();
        while total > goal {
            let fullest = (0..broadcasts.len()).max_by_key(|&index| held[index]);
            let Some(fullest) = fullest else { break };
            let (shared, before) = (&broadcasts[fullest], held[fullest]);
            // In steps, so that the fullest channel is not emptied for the others.
            shared.shed((before / 16).max(total - goal).min(before.div_ceil(4)));
            let after = shared.held_bytes();
            if after >= before {
                // One push is left, which is always allowed.
                held[fullest] = 0;
                total = total.saturating_sub(before);
                continue;
            }
            held[fullest] = after;
            total -= before - after;
        }
        self.allowance = part;
    }

    /// Returns how many bytes may arrive between two checks.
    fn part(limit: usize) -> usize {
        (limit / 64).max(1)
    }
}
