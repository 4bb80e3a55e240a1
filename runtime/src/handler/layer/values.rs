use std::sync::OnceLock;

use crate::push::Extensions;

/// The values that layers have passed on, kept until the delivery has ended.
///
/// A list that only grows, so that a reference to one stays valid while others are added, also by layers
/// that run concurrently.
#[derive(Default)]
pub(super) struct Values(Place);

type Place = OnceLock<Box<Node>>;

struct Node {
    extensions: Extensions,
    next: Place,
}

impl Values {
    pub(super) fn keep(&self, extensions: Extensions) -> &Extensions {
        let mut node = Box::new(Node {
            extensions,
            next: Place::new(),
        });
        let mut place = &self.0;
        loop {
            match place.set(node) {
                Ok(()) => {}
                Err(refused) => {
                    node = refused;
                    place = &place.get().expect("it is taken").next;
                    continue;
                }
            }
            return &place.get().expect("it was just set").extensions;
        }
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        // One after another: a nested drop of a long list would exhaust the stack.
        let mut next = self.0.take();
        while let Some(mut node) = next {
            next = node.next.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_stays_where_it_is() {
        let values = Values::default();
        let kept: Vec<_> = (0..3_u32)
            .map(|number| values.keep(Extensions::default().with(number)))
            .collect();
        let numbers: Vec<_> = kept.iter().map(|one| one.get::<u32>().copied()).collect();
        assert_eq!(numbers, [Some(0), Some(1), Some(2)]);
    }

    #[test]
    fn a_long_list_is_dropped_without_recursion() {
        let mut first = Box::new(Node {
            extensions: Extensions::default(),
            next: Place::new(),
        });
        for _ in 0..200_000 {
            let next = Place::new();
            assert!(next.set(first).is_ok());
            first = Box::new(Node {
                extensions: Extensions::default(),
                next,
            });
        }
        let values = Values::default();
        assert!(values.0.set(first).is_ok());
        drop(values);
    }
}
