//! Sorted sets: members in the order of their scores.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;

/// Members with their scores. Members of equal scores are in the order of their bytes.
#[derive(Clone, Default)]
pub(super) struct SortedSet {
    scores: HashMap<Bytes, f64>,
    /// The same pairs, in order.
    order: BTreeSet<(Score, Bytes)>,
}

impl SortedSet {
    pub(super) fn len(&self) -> usize {
        self.scores.len()
    }

    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).copied()
    }

    /// Adds a member, or moves it to another score, which is not NaN.
    pub(super) fn insert(&mut self, member: &[u8], score: f64) {
        // As in the server, there is no negative zero.
        let score = score + 0.0;
        let member = Bytes::copy_from_slice(member);
        self.remove(&member);
        self.order.insert((Score(score), member.clone()));
        self.scores.insert(member, score);
    }

    pub(super) fn remove(&mut self, member: &Bytes) -> bool {
        let Some(score) = self.scores.remove(member) else {
            return false;
        };
        self.order.remove(&(Score(score), member.clone()))
    }

    /// The members and their scores, from the lowest score to the highest.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&Bytes, f64)> {
        self.order.iter().map(|(score, member)| (member, score.0))
    }
}

/// A number with an order: it is never NaN.
#[derive(Clone, Copy, PartialEq)]
struct Score(f64);

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}
