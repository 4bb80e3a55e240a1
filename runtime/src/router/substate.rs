use std::sync::Arc;

use crate::extract::FromRef;
use crate::util::Mutex;

/// A part of a state, taken once for all mounts that share it.
pub(crate) struct Substate<Whole, S> {
    taken: Arc<Mutex<Option<Taken<Whole, S>>>>,
}

struct Taken<Whole, S> {
    /// The whole it is of: mounts of one router may be given to several subscribers.
    of: Arc<Whole>,
    part: Arc<S>,
}

impl<Whole, S: FromRef<Whole>> Substate<Whole, S> {
    pub(crate) fn of(&self, whole: &Arc<Whole>) -> Arc<S> {
        let mut taken = self.taken.lock();
        match &*taken {
            Some(Taken { of, part }) if Arc::ptr_eq(of, whole) => Arc::clone(part),
            _ => {
                let part = Arc::new(S::from_ref(whole));
                *taken = Some(Taken {
                    of: Arc::clone(whole),
                    part: Arc::clone(&part),
                });
                part
            }
        }
    }
}

impl<Whole, S> Clone for Substate<Whole, S> {
    fn clone(&self) -> Self {
        Self {
            taken: Arc::clone(&self.taken),
        }
    }
}

impl<Whole, S> Default for Substate<Whole, S> {
    fn default() -> Self {
        Self {
            taken: Arc::default(),
        }
    }
}
