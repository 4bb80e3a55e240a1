//! When a handler that always has messages lets other tasks run.

use std::time::{Duration, Instant};

use tokio::task::coop::has_budget_remaining;

use crate::util::clock;

/// Uses up the task's budget for deliveries whose handlers do not do so by themselves.
///
/// tokio gives a task 128 units of a budget for each of its turns. A unit for each delivery would end a turn after
/// 128 messages, and at line rate the turns would cost more than the messages. So fast deliveries take one unit
/// together, and slow ones take one each.
#[derive(Debug, Default)]
pub(super) struct Courtesy {
    /// How many deliveries have taken no unit yet.
    unpaid: u8,
    /// When the last one took some.
    paid: Option<Instant>,
}

/// How many fast deliveries take one unit.
const TOGETHER: u8 = 16;

/// If they take longer than this, they are not fast: a turn of 128 units would be longer than 4 ms.
const FAST: Duration = Duration::from_micros(32);

impl Courtesy {
    /// Counts a delivery. Returns whether it is time to [pay](Self::pay).
    #[inline]
    pub(super) fn delivered(&mut self) -> bool {
        self.unpaid += 1;
        self.unpaid >= TOGETHER
    }

    /// Uses up budget, and lets other tasks run if it is their turn.
    pub(super) async fn pay(&mut self) {
        let now = clock::monotonic();
        let is_fast = self.paid.is_some_and(|paid| now - paid < FAST);
        self.paid = Some(now);
        let units = if is_fast { 1 } else { self.unpaid };
        self.unpaid = 0;
        tokio::task::consume_budget().await;
        for _ in 1..units {
            // The time of the next delivery has begun, unless there was no budget at the end of the last one
            // (`attended`). So the turn ends with the next payment.
            if !has_budget_remaining() {
                break;
            }
            tokio::task::consume_budget().await;
        }
    }
}
