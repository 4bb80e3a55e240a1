use std::collections::BTreeSet;
use std::ops::{Index, IndexMut};

/// The key of a value in [`Slots`].
pub(crate) type Key = u32;

/// Values by small numbers.
///
/// A new value has the lowest key that is free, and the memory behind the largest key in use is freed.
/// So a table of which most values have gone is small again.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    /// The values by their keys. The last one is in use.
    slots: Vec<Option<T>>,
    /// The keys that are not in use.
    free: BTreeSet<Key>,
}

impl<T> Slots<T> {
    /// Adds a value, and returns its key.
    pub(crate) fn insert(&mut self, value: T) -> Key {
        if let Some(key) = self.free.pop_first() {
            self.slots[key as usize] = Some(value);
            return key;
        }
        if self.slots.len() == self.slots.capacity() {
            // Doubling would leave up to half of a large table empty.
            self.slots.reserve_exact(1 + self.slots.len() / 4);
        }
        let key = self.end();
        self.slots.push(Some(value));
        key
    }

    /// Removes a value, and returns it.
    ///
    /// # Panics
    ///
    /// Panics if there is none.
    pub(crate) fn remove(&mut self, key: Key) -> T {
        let value = self.slots[key as usize].take().expect("the key is in use");
        if key + 1 < self.end() {
            self.free.insert(key);
        } else {
            self.cut();
        }
        value
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        self.slots.get(key as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.slots.get_mut(key as usize)?.as_mut()
    }

    /// Returns the number after the largest key.
    pub(crate) fn end(&self) -> Key {
        Key::try_from(self.slots.len()).expect("fewer than 2^32 values")
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Returns the values in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten()
    }

    /// Frees what is behind the last value.
    fn cut(&mut self) {
        let last = self.slots.iter().rposition(Option::is_some);
        self.slots.truncate(last.map_or(0, |last| last + 1));
        drop(self.free.split_off(&self.end()));
        if self.slots.len() <= self.slots.capacity() / 4 {
            self.slots.shrink_to_fit();
        }
    }
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: BTreeSet::new(),
        }
    }
}

impl<T> Index<Key> for Slots<T> {
    type Output = T;

    #[inline]
    fn index(&self, key: Key) -> &T {
        self.slots[key as usize]
            .as_ref()
            .expect("the key is in use")
    }
}

impl<T> IndexMut<Key> for Slots<T> {
    #[inline]
    fn index_mut(&mut self, key: Key) -> &mut T {
        self.slots[key as usize]
            .as_mut()
            .expect("the key is in use")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn agree_with_a_map_and_use_the_lowest_key_over_random_schedules() {
        for seed in 0..1_000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut slots = Slots::default();
            let mut model = BTreeMap::new();
            for number in 0..random.u32(1..200) {
                if random.bool() {
                    let lowest = (0..).find(|key| !model.contains_key(key)).unwrap();
                    assert_eq!(slots.insert(number), lowest);
                    model.insert(lowest, number);
                } else if let Some(key) = random.choice(model.keys().copied().collect::<Vec<_>>()) {
                    assert_eq!(Some(slots.remove(key)), model.remove(&key));
                    assert_eq!(slots.get(key), None);
                }
                assert!(slots.iter().eq(model.values()));
                let end = model.last_key_value().map_or(0, |(last, _)| last + 1);
                assert_eq!(slots.end(), end);
                assert_eq!(slots.is_empty(), model.is_empty());
            }
        }
    }

    #[test]
    fn values_that_have_gone_leave_no_memory() {
        let mut slots = Slots::default();
        let keys: Vec<_> = (0..10_000).map(|number| slots.insert(number)).collect();
        assert!(slots.slots.capacity() <= 12_500);
        for key in &keys[1..] {
            slots.remove(*key);
        }
        assert!(slots.slots.capacity() < 8 && slots.free.is_empty());
        slots.remove(0);
        assert_eq!(slots.slots.capacity(), 0);
    }
}
