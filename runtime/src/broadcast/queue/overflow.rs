//! What a queue drops when its budget is exceeded.

use std::sync::Arc;

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
        let front = self.sealed.front().unwrap_or(&self.tail);
        self.held -= 1;
        if front.is_empty() {
            // The oldest push is still in the latest queue and has no number yet.
            let weight = self.latest.as_mut().map_or(0, |latest| latest.drop_first());
            self.held_bytes -= weight;
            self.leave_out_number();
            return;
        }
        let index = front.index_of(self.oldest);
        self.held_bytes -= front.weight_of(index..index + 1);
        self.oldest = front.first + index as u64 + 1;
        if self.oldest == front.end() {
            self.pop_front();
        }
    }

    /// Drops the push that would be appended next. Every reader that has yet to pass its number has
    /// missed it.
    pub(super) fn drop_newest(&mut self) {
        self.seal(self.tail.segment);
        self.leave_out_number();
    }

    /// Makes the empty tail begin one number later.
    pub(super) fn leave_out_number(&mut self) {
        let tail = Arc::get_mut(&mut self.tail).expect("open batch is not shared");
        debug_assert!(tail.is_empty(), "only an empty batch can begin later");
        tail.first += 1;
    }
}
