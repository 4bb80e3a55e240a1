use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

/// Values that go along with a delivery besides its push, at most one of each type.
///
/// They let a module below know nothing of a module above: what publishes for a handler is one of
/// them, so `push` does not know `publish`. A handler has a few, which are set before its first
/// delivery, so a look-up is a walk over a short list.
///
/// A clone shares the values.
#[derive(Clone, Default)]
pub(crate) struct Extensions(Option<Arc<Vec<Entry>>>);

type Entry = (TypeId, Arc<dyn Any + Send + Sync>);

impl Extensions {
    /// The same with one more value, which replaces one of its type.
    pub(crate) fn with<T: Any + Send + Sync>(self, value: T) -> Self {
        let mut entries = self.0.map(Arc::unwrap_or_clone).unwrap_or_default();
        entries.retain(|(id, _)| *id != TypeId::of::<T>());
        entries.push((TypeId::of::<T>(), Arc::new(value)));
        Self(Some(Arc::new(entries)))
    }

    /// The value of a type.
    pub(crate) fn get<T: Any>(&self) -> Option<&T> {
        let mut entries = self.0.iter().flat_map(|entries| &**entries);
        let (_, value) = entries.find(|(id, _)| *id == TypeId::of::<T>())?;
        value.downcast_ref()
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.as_ref().map_or(0, |entries| entries.len());
        // The values are other modules' and the user's.
        f.debug_struct("Extensions")
            .field("count", &count)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_one_value() {
        let empty = Extensions::default();
        assert_eq!(empty.get::<u32>(), None);
        let both = empty.with(1_u32).with("text").with(2_u32);
        assert_eq!(both.get::<u32>(), Some(&2));
        assert_eq!(both.get::<&str>(), Some(&"text"));
    }

    #[test]
    fn a_clone_keeps_its_values() {
        let first = Extensions::default().with(1_u32);
        let second = first.clone().with(2_u32);
        assert_eq!((first.get(), second.get()), (Some(&1_u32), Some(&2_u32)));
    }
}
