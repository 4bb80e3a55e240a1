use std::sync::Arc;

use crate::extract::FromRef;
use crate::util::Mutex;

/// A part of a state, extracted once for all mounts that share it.
pub(crate) struct Substate<Whole, S> {
    extracted: Arc<Mutex<Option<Extracted<Whole, S>>>>,
}

struct Extracted<Whole, S> {
    /// The state that the part was extracted from: the mounts of one router may be passed to several
    /// subscribers.
    whole: Arc<Whole>,
    part: Arc<S>,
}

impl<Whole, S: FromRef<Whole>> Substate<Whole, S> {
    /// Returns the part of this state, and extracts it on the first call.
    pub(crate) fn of(&self, whole: &Arc<Whole>) -> Arc<S> {
        let mut extracted = self.extracted.lock();
        match &*extracted {
            Some(last) if Arc::ptr_eq(&last.whole, whole) => Arc::clone(&last.part),
            _ => {
                let part = Arc::new(S::from_ref(whole));
                *extracted = Some(Extracted {
                    whole: Arc::clone(whole),
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
            extracted: Arc::clone(&self.extracted),
        }
    }
}

impl<Whole, S> Default for Substate<Whole, S> {
    fn default() -> Self {
        Self {
            extracted: Arc::default(),
        }
    }
}
