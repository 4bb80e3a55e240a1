//! Which names of a broadcast channel a gap concerns.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

use crate::gap::Gap;
use crate::subscription::Subscription;

/// The names that may have missed messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Concerned {
    All,
    /// The indices in the channel's list of subscriptions.
    Some(BTreeSet<u32>),
}

impl Concerned {
    /// Takes over the names of another gap, with which this one is merged.
    pub(super) fn merge(&mut self, other: Self) {
        let (Self::Some(here), Self::Some(mut more)) = (&mut *self, other) else {
            *self = Self::All;
            return;
        };
        // Most often, one of them has a single name.
        if here.len() < more.len() {
            std::mem::swap(here, &mut more);
        }
        here.append(&mut more);
    }

    /// Returns about how much memory the indices hold.
    pub(super) fn memory(&self) -> usize {
        match self {
            Self::All => 0,
            // Nodes of a tree are half full at least.
            Self::Some(indices) => 2 * size_of::<u32>() * indices.len(),
        }
    }
}

/// A gap, as a broadcast channel knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) gap: Gap,
    pub(crate) concerned: Concerned,
}

impl Deref for Loss {
    type Target = Gap;

    fn deref(&self) -> &Gap {
        &self.gap
    }
}

impl Loss {
    /// A loss in all names.
    pub(super) fn of_all(gap: Gap) -> Self {
        let concerned = Concerned::All;
        Self { gap, concerned }
    }

    /// Returns the gap, with the names that it concerns out of the channel's list.
    pub(crate) fn named(self, list: &[Subscription]) -> Gap {
        let Concerned::Some(indices) = self.concerned else {
            return self.gap;
        };
        if indices.len() == list.len() {
            return self.gap;
        }
        let names = indices.iter().filter_map(|index| list.get(*index as usize));
        let names: Arc<[Subscription]> = names.cloned().collect();
        self.gap.with_names(names)
    }
}
