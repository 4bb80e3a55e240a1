use std::collections::VecDeque;

/// The capacity of a queue that is not worth shrinking.
const SMALL: usize = 64;

/// Frees memory of a queue that is mostly empty. Called after each removal, so that this takes no longer
/// than the removals.
#[inline]
pub(crate) fn shrink<T>(queue: &mut VecDeque<T>) {
    let capacity = queue.capacity();
    if capacity > SMALL && queue.len() <= capacity / 8 {
        queue.shrink_to(2 * queue.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_runs_empty_keeps_little() {
        let mut queue: VecDeque<_> = (0..10_000).collect();
        while queue.pop_front().is_some() {
            shrink(&mut queue);
            assert!(queue.capacity() <= SMALL.max(8 * queue.len() + 8));
        }
    }
}
