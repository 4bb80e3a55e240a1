//! What a queue drops when its budget is exceeded.

use super::Queue;

impl Queue {
    #[inline]
    pub(super) fn keep_within_budget(&mut self) {
        while self.held > 1
            && (self.held > self.budget.messages || self.held_bytes > self.budget.bytes)
        {
            self.drop_oldest();
        }
    }

    pub(super) fn drop_oldest(&mut self) {
        self.held -= 1;
        let Some(front) = self.front() else {
            // The oldest push is still in the latest queue and has no number yet.
            let weight = self.latest.as_mut().map_or(0, |latest| latest.drop_first());
            self.held_bytes -= weight;
            self.leave_out_number();
            return;
        };
        let index = front.index_of(self.oldest);
        let (weight, oldest) = (
            front.weight_of(index..index + 1),
            front.first + index as u64 + 1,
        );
        let is_last = oldest == front.end();
        self.held_bytes -= weight;
        self.oldest = oldest;
        if is_last {
            self.pop_front();
        }
    }

    /// Drops the push that would be appended next. Every reader that has yet to pass its number has
    /// missed it.
    pub(super) fn drop_newest(&mut self) {
        self.seal();
        self.leave_out_number();
    }

    /// Gives the next number to no push that can be read. The pushes of a batch follow without a hole,
    /// so no batch is open.
    pub(super) fn leave_out_number(&mut self) {
        debug_assert!(self.tail.is_none(), "a batch is open");
        self.numbered += 1;
    }
}
