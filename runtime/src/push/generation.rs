use std::fmt;

/// A node that a subscriber is connected to. The connections to one server count as nodes too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(u16);

impl NodeId {
    /// The only node of a subscriber with one connection.
    pub(crate) const FIRST: Self = Self(0);

    /// Returns the node with this index, or the last one that there can be.
    pub(crate) fn at(index: usize) -> Self {
        Self(u16::try_from(index).unwrap_or(u16::MAX))
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// One connection to a node: where a push comes from.
///
/// The connections to a node are numbered from 1. Number 0 stands for the time before the first one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Generation(
    /// The node, then the number, so that it fits into an atomic.
    u64,
);

impl Generation {
    /// How many bits the number has: enough for a million connections a second for eight years.
    const BITS: u32 = 48;

    /// What is before the first connection to the first node, and no connection.
    pub(crate) const NONE: Self = Self(0);

    /// The time before the first connection to a node.
    pub(crate) fn before_first(node: NodeId) -> Self {
        Self(u64::from(node.0) << Self::BITS)
    }

    /// Returns the next connection to the node.
    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }

    #[inline]
    pub(crate) fn node(self) -> NodeId {
        NodeId((self.0 >> Self::BITS) as u16)
    }

    pub(crate) fn number(self) -> u64 {
        self.0 & ((1 << Self::BITS) - 1)
    }

    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of node {}", self.number(), self.node().index())
    }
}

/// A connection to the first node, by its number.
#[cfg(any(test, redis_push_internals))]
impl From<u64> for Generation {
    fn from(number: u64) -> Self {
        assert!(number < 1 << Self::BITS, "a number has {} bits", Self::BITS);
        Self(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_knows_its_node_and_its_number() {
        for index in [0, 1, 65_535] {
            let node = NodeId::at(index);
            assert_eq!(node.index(), index);
            let mut generation = Generation::before_first(node);
            for number in 0..3 {
                assert_eq!((generation.node(), generation.number()), (node, number));
                assert_eq!(Generation::from_bits(generation.to_bits()), generation);
                generation = generation.next();
            }
        }
        assert_eq!(NodeId::at(1 << 20).index(), 65_535);
    }
}
