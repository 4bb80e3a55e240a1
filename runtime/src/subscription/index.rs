use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use super::Subscription;

/// Lists that are not longer are searched. Most handlers have one name, and need no index.
const SHORT: usize = 16;

/// Finds the subscriptions of a list by their keys, so that a list of many names is built in linear
/// time.
///
/// It refers to the names by their hashes, because a copy of them would double their memory.
#[derive(Clone, Default)]
pub(crate) struct Index {
    positions: HashMap<u64, usize>,
    hasher: RandomState,
    /// How many subscriptions at the start of the list are in `positions`.
    indexed: usize,
}

impl Index {
    /// Returns whether the list has a subscription with this key.
    ///
    /// Since the last call, subscriptions may have been appended to the list, but not changed.
    pub(crate) fn has(&mut self, list: &[Subscription], wanted: &Subscription) -> bool {
        let is_wanted = |other: &Subscription| other.key() == wanted.key();
        if list.len() <= SHORT {
            return list.iter().any(is_wanted);
        }
        for (position, subscription) in list.iter().enumerate().skip(self.indexed) {
            let hash = self.hasher.hash_one(subscription.key());
            self.positions.entry(hash).or_insert(position);
        }
        self.indexed = list.len();
        match self.positions.get(&self.hasher.hash_one(wanted.key())) {
            None => false,
            // Two keys with the same hash are possible, although not to be expected.
            Some(&position) => is_wanted(&list[position]) || list.iter().any(is_wanted),
        }
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_is_found_by_its_kind_and_name() {
        let mut index = Index::default();
        let mut list = Vec::new();
        for number in 0..100 {
            let name = format!("name.{}", number / 2);
            let new = if number % 4 < 2 {
                Subscription::channel(name)
            } else {
                Subscription::pattern(name)
            };
            assert_eq!(index.has(&list, &new), number % 2 == 1, "{number}");
            if number % 2 == 0 {
                list.push(new);
            }
        }
        assert!(!index.has(&list, &Subscription::pattern("name.0")));
        assert!(index.has(&list, &Subscription::channel("name.0")));
    }
}
