//! What a reader has missed, by the numbers of the pushes.

use std::time::SystemTime;

use super::{Position, Queue};

/// What lies before a reader.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::ring) struct Ahead {
    /// How many pushes were dropped between the reader and the batch.
    pub(in crate::ring) missed: u64,
    pub(in crate::ring) episode: u64,
    pub(in crate::ring) opened: SystemTime,
}

impl Queue {
    /// What lies before a reader at `position`.
    pub(in crate::ring) fn peek(&self, position: Position) -> Option<Ahead> {
        let batch = self.batch(position.batch.max(self.base))?;
        let mailbox = self.mailbox.as_ref().filter(|_| batch.is_empty());
        Some(Ahead {
            missed: self.missed(position),
            episode: batch.episode,
            opened: mailbox
                .and_then(|mailbox| mailbox.opened())
                .unwrap_or(batch.opened),
        })
    }

    /// How many pushes were dropped before a reader at `position` could have them: those up to the
    /// next one that is here, or up to the end.
    pub(in crate::ring) fn missed(&self, position: Position) -> u64 {
        let next = match self.batch(position.batch.max(self.base)) {
            Some(batch) => batch.first.max(self.oldest),
            None => self.end(),
        };
        next.saturating_sub(position.push)
    }

    /// How many pushes are dropped of all that a reader at `position` has yet to pass.
    pub(in crate::ring) fn missing(&self, position: Position) -> u64 {
        let first = usize::try_from(position.batch.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let sealed = self.sealed.iter().skip(first);
        let here = sealed.map(|batch| batch.len() - batch.index_of(self.oldest));
        let open = self.end() - self.tail.first;
        let ahead = here.sum::<usize>() as u64 + open - self.dropped_of_tail();
        (self.end() - position.push.min(self.end())).saturating_sub(ahead)
    }

    /// How many pushes at the front of the tail are dropped.
    fn dropped_of_tail(&self) -> u64 {
        self.tail.index_of(self.oldest) as u64
    }

    /// Lets a reader pass what was dropped at the end.
    pub(in crate::ring) fn pass(&self, position: &mut Position) {
        position.push = position.push.max(self.end());
    }

    /// How many pushes have no number because they took the place of an older one.
    pub(in crate::ring) fn superseded(&self) -> u64 {
        self.mailbox
            .as_ref()
            .map_or(0, |mailbox| mailbox.superseded())
    }
}
