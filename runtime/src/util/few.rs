use std::ops::{Deref, DerefMut};

/// A list that most often has one element, which then takes no allocation.
#[derive(Debug)]
pub(crate) enum Few<T> {
    One(T),
    /// None or several. One, if there were several before.
    Many(Vec<T>),
}

impl<T> Few<T> {
    /// The length of a list that is not worth shrinking.
    const SHORT: usize = 4;

    pub(crate) const fn new() -> Self {
        Self::Many(Vec::new())
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::One(_) => false,
            Self::Many(all) => all.is_empty(),
        }
    }

    pub(crate) fn push(&mut self, value: T) {
        match std::mem::take(self) {
            Self::One(first) => *self = Self::Many(vec![first, value]),
            Self::Many(all) if all.capacity() == 0 => *self = Self::One(value),
            Self::Many(mut all) => {
                if all.len() == all.capacity() {
                    // Doubling would leave up to half of a long list empty.
                    all.reserve_exact(1 + all.len() / 4);
                }
                all.push(value);
                *self = Self::Many(all);
            }
        }
    }

    /// Removes the element at `index`. The last one takes its place.
    pub(crate) fn swap_remove(&mut self, index: usize) -> T {
        assert!(index < self.len(), "the index is in the list");
        if let Self::Many(all) = self {
            return all.swap_remove(index);
        }
        match std::mem::take(self) {
            Self::One(one) => one,
            Self::Many(_) => unreachable!("there is one"),
        }
    }

    /// Passes every element on, and keeps the memory.
    pub(crate) fn take_each(&mut self, mut take: impl FnMut(T)) {
        match std::mem::take(self) {
            Self::One(one) => take(one),
            Self::Many(mut all) => {
                all.drain(..).for_each(take);
                *self = Self::Many(all);
            }
        }
    }

    /// Frees memory if there is much more than `len` elements need.
    pub(crate) fn shrink(&mut self, len: usize) {
        if let Self::Many(all) = self
            && all.capacity() > 4 * len.max(Self::SHORT)
        {
            all.shrink_to(len);
        }
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut few = Self::new();
        values.into_iter().for_each(|value| few.push(value));
        few
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(all) => all,
        }
    }
}

impl<T> DerefMut for Few<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::One(one) => std::slice::from_mut(one),
            Self::Many(all) => all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_agrees_with_a_vector_over_random_schedules() {
        for seed in 0..1_000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut few, mut model) = (Few::new(), Vec::new());
            for number in 0..random.u32(1..100) {
                match random.u32(0..8) {
                    0..=3 => {
                        few.push(number);
                        model.push(number);
                    }
                    4..=6 if !model.is_empty() => {
                        let index = random.usize(0..model.len());
                        few.swap_remove(index);
                        model.swap_remove(index);
                        few.shrink(model.len());
                    }
                    7 => {
                        let mut taken = Vec::new();
                        few.take_each(|number| taken.push(number));
                        assert_eq!(taken, std::mem::take(&mut model));
                    }
                    _ => {}
                }
                assert_eq!(*few, *model);
                assert_eq!(few.is_empty(), model.is_empty());
            }
        }
    }

    #[test]
    fn a_list_of_one_is_as_large_as_a_vector() {
        assert_eq!(size_of::<Few<(&u8, u32)>>(), size_of::<Vec<u8>>());
    }
}
