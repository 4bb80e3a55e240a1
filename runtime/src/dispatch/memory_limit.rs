use std::sync::Arc;

use crate::broadcast::Shared;

/// Keeps what waits in all rings together below a limit.
///
/// Counting every byte in and out in one place would be a cache line that all handlers write. So
/// the rings are asked, each time a small part of the limit has come in since they last were.
#[derive(Debug)]
pub(super) struct Memory {
    limit: usize,
    /// What may still come in before the rings are asked.
    unasked: usize,
}

impl Memory {
    pub(super) fn new(limit: usize) -> Self {
        let part = Self::part(limit);
        Self {
            limit,
            unasked: part,
        }
    }

    /// Notes that a push of so many bytes goes into so many rings, and says whether it is time to
    /// look.
    pub(super) fn is_due(&mut self, bytes: usize, broadcasts: usize) -> bool {
        let weight = (bytes + crate::push::Batch::ENTRY_BYTES).saturating_mul(broadcasts);
        match self.unasked.checked_sub(weight) {
            Some(rest) => self.unasked = rest,
            None => self.unasked = 0,
        }
        self.unasked == 0
    }

    /// Lets the fullest rings drop their oldest, until there is room for as much as may come in
    /// before the next look.
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
            // In steps, so that a ring which is fuller than the others is not emptied for them.
            shared.shed((before / 16).max(total - goal).min(before.div_ceil(4)));
            let after = shared.held_bytes();
            if after >= before {
                // One push is left, which always may be.
                held[fullest] = 0;
                total = total.saturating_sub(before);
                continue;
            }
            held[fullest] = after;
            total -= before - after;
        }
        self.unasked = part;
    }

    /// How much comes in between two looks.
    fn part(limit: usize) -> usize {
        (limit / 64).max(1)
    }
}
