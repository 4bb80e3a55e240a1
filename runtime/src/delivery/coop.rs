//! When a handler that always has messages lets other tasks run.

use std::time::{Duration, Instant};

use tokio::task::coop::has_budget_remaining;

use crate::util::clock;

/// Takes units of tokio's cooperative budget for deliveries whose handlers take none.
///
/// tokio gives a task 128 units of a budget for each of its turns. A unit for each delivery would end a turn after
/// 128 messages, and at line rate the turns would cost more than the messages. So fast deliveries take one unit
/// together, and slow ones take one each.
#[derive(Debug, Default)]
pub(super) struct CoopBudget {
    /// How many deliveries have taken no unit yet.
    unspent: u8,
    /// When the last units were taken.
    spent: Option<Instant>,
}

/// How many fast deliveries take one unit.
const TOGETHER: u8 = 16;

/// If they take longer than this, they are not fast: a turn of 128 units would be longer than 4 ms.
const FAST: Duration = Duration::from_micros(32);

impl CoopBudget {
    /// Counts a delivery. Returns whether it is time to [spend](Self::spend).
    #[inline]
    pub(super) fn delivered(&mut self) -> bool {
        self.unspent += 1;
        self.unspent >= TOGETHER
    }

    /// Takes the units of the deliveries, and lets other tasks run if none is left.
    pub(super) async fn spend(&mut self) {
        let now = clock::monotonic();
        let is_fast = self.spent.is_some_and(|spent| now - spent < FAST);
        self.spent = Some(now);
        let units = if is_fast { 1 } else { self.unspent };
        self.unspent = 0;
        tokio::task::consume_budget().await;
        for _ in 1..units {
            // The time of the next delivery has begun, unless there was no budget at the end of the last one
            // (`attended`). So the turn ends with the next call.
            if !has_budget_remaining() {
                break;
            }
            tokio::task::consume_budget().await;
        }
    }
}
