//! What a queue releases when all channels together exceed the memory limit.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Queue;

impl Queue {
    /// Releases memory until `bytes` are released or nothing but one push is left: first what is not
    /// in use, then the oldest pushes.
    ///
    /// The memory of a push is released with its batch, so batches are dropped as a whole. The last
    /// one is replaced by a smaller copy.
    pub(in crate::broadcast) fn shed(&mut self, bytes: usize) {
        let goal = self.memory().saturating_sub(bytes);
        self.trim();
        while self.memory() > goal {
            let front = self.sealed.front().map(|sealed| &sealed.batch);
            let in_front = front.map(|batch| batch.len() - batch.index_of(self.oldest));
            match in_front {
                Some(in_front) if in_front < self.held => {
                    self.pop_front();
                    self.spare = None;
                }
                // All pushes are still in the latest queue.
                None if self.tail.is_none() => {
                    if self.held <= 1 {
                        return;
                    }
                    self.drop_oldest();
                }
                _ => return self.shrink_last_batch(goal),
            }
        }
    }

    /// Drops every push, and releases the memory of all of them.
    pub(in crate::broadcast) fn empty(&mut self) {
        while self.pop_front() {}
        self.numbered = self.end();
        if let Some(latest) = &mut self.latest {
            latest.clear();
        }
        self.tail = None;
        self.oldest = self.numbered;
        self.expected = 0;
        self.held = 0;
        self.held_bytes = 0;
        self.trim();
    }

    /// Releases memory that is not in use.
    pub(in crate::broadcast) fn trim(&mut self) {
        self.spare = None;
        self.lent.take_if(|lent| lent.end_unused());
        if self.sealed.is_empty() {
            self.sealed = VecDeque::new();
        }
        if let Some(latest) = &mut self.latest {
            latest.trim();
        }
    }

    /// Drops the oldest pushes of the only batch until the queue can hold the rest in `goal` bytes
    /// or one push is left, and replaces the batch by a copy without them.
    fn shrink_last_batch(&mut self, goal: usize) {
        let memory = self.memory();
        let is_sealed = !self.sealed.is_empty();
        let sealed = self.sealed.front_mut().map(|sealed| &mut sealed.batch);
        let Some(batch) = sealed.or(self.tail.as_mut()) else {
            return;
        };
        let room = goal.saturating_sub(memory - batch.capacity());
        // A batch that a reader has received too would not be released.
        let Some(batch) = Arc::get_mut(batch) else {
            return;
        };
        let (before, from, end) = (batch.memory(), batch.index_of(self.oldest), batch.len());
        // A quarter stays free, so that the next push does not make the page grow at once.
        let most = room / 4 * 3;
        let mut first = from;
        while first + 1 < end && batch.weight_of(first..end) > most {
            first += 1;
        }
        self.held -= first - from;
        self.held_bytes -= batch.weight_of(from..first);
        self.oldest = batch.first + first as u64;
        let room = if is_sealed { 0 } else { room };
        // One large push is not copied for nothing.
        if room.max(batch.weight_of(first..end)) < batch.capacity() {
            let smaller = batch.shrunk(first, room);
            self.discarded.extend(batch.take_decoded());
            *batch = smaller;
        }
        if is_sealed {
            self.sealed_memory = self.sealed_memory + batch.memory() - before;
        }
    }
}
