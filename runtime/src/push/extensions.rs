use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

/// Values that are passed along with a push, at most one of each type.
///
/// Through them a push carries values of modules that this one does not know, such as the publisher
/// of `publish`. A handler has a few, all set before its first delivery, so a look-up walks a short
/// list.
///
/// A clone shares the values.
#[derive(Clone, Default)]
pub(crate) struct Extensions(Option<Arc<Vec<Entry>>>);

type Entry = (TypeId, Arc<dyn Any + Send + Sync>);

impl Extensions {
    /// Adds a value. It replaces a value of the same type.
    pub(crate) fn with<T: Any + Send + Sync>(self, value: T) -> Self {
        let mut entries = self.0.map(Arc::unwrap_or_clone).unwrap_or_default();
        entries.retain(|(id, _)| *id != TypeId::of::<T>());
        entries.push((TypeId::of::<T>(), Arc::new(value)));
        Self(Some(Arc::new(entries)))
    }

    /// Returns the value of a type.
    pub(crate) fn get<T: Any>(&self) -> Option<&T> {
        let mut entries = self.0.iter().flat_map(|entries| &**entries);
        let (_, value) = entries.find(|(id, _)| *id == TypeId::of::<T>())?;
        value.downcast_ref()
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.as_ref().map_or(0, |entries| entries.len());
        // The values are not shown: they belong to other modules and to the user.
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
