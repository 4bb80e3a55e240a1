//! The subscription of a name that is a constant.
//!
//! An array in a `const` has a length that is known before its content. So each array here comes
//! with a method that returns its length.

use std::borrow::Cow;

use redis_push_template::Piece;

use super::const_name::{ConstName, Role};
use super::const_pieces::{count_of, is_any_of};
use crate::subscription::{Kind, Segment, Subscription};

/// The bytes that a glob escapes.
const GLOB_SPECIAL: &[u8] = b"*?[]\\";

impl ConstName {
    /// Returns the number of bytes of the literal text.
    #[must_use]
    pub const fn literals_len(&self) -> usize {
        let mut len = 0;
        let mut pieces = self.pieces();
        while let Some(piece) = pieces.next() {
            if let Piece::Literal(literal) = piece {
                len += literal.len();
            }
        }
        len
    }

    /// Returns the literal text, of all segments, one after the other.
    #[must_use]
    pub const fn literals<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        let mut end = 0;
        let mut pieces = self.pieces();
        while let Some(piece) = pieces.next() {
            if let Piece::Literal(literal) = piece {
                let mut at = 0;
                while at < literal.len() {
                    bytes[end] = literal.as_bytes()[at];
                    (at, end) = (at + 1, end + 1);
                }
            }
        }
        bytes
    }

    /// Returns the number of bytes of the glob.
    #[must_use]
    pub const fn glob_len(&self) -> usize {
        let mut len = 0;
        let mut pieces = self.pieces();
        while let Some(piece) = pieces.next() {
            len += match piece {
                Piece::Literal(literal) => literal.len() + count_of(literal, GLOB_SPECIAL),
                Piece::Param(_) | Piece::Rest(_) => 1,
            };
        }
        len
    }

    /// Returns the glob that matches every channel of the template.
    #[must_use]
    pub const fn glob<const N: usize>(&self) -> [u8; N] {
        let mut glob = [b'*'; N];
        let mut end = 0;
        let mut pieces = self.pieces();
        while let Some(piece) = pieces.next() {
            let Piece::Literal(literal) = piece else {
                end += 1;
                continue;
            };
            let mut at = 0;
            while at < literal.len() {
                let byte = literal.as_bytes()[at];
                if is_any_of(byte, GLOB_SPECIAL) {
                    glob[end] = b'\\';
                    end += 1;
                }
                glob[end] = byte;
                (at, end) = (at + 1, end + 1);
            }
        }
        glob
    }

    /// Returns the number of segments. Adjacent literals are one segment.
    #[must_use]
    pub const fn segments_len(&self) -> usize {
        let mut len = 0;
        let mut after_literal = false;
        let mut pieces = self.pieces();
        while let Some(piece) = pieces.next() {
            let is_literal = matches!(piece, Piece::Literal(_));
            if !(is_literal && after_literal) {
                len += 1;
            }
            after_literal = is_literal;
        }
        len
    }

    /// Returns the segments. `literals` is what [`literals`](Self::literals) returned.
    #[must_use]
    pub const fn segments<const N: usize>(&self, literals: &'static [u8]) -> [Segment; N] {
        let literals = as_str(literals);
        let mut segments = [const { Segment::Literal(Cow::Borrowed("")) }; N];
        // The number of segments so far, and where the literal of the last one begins and ends.
        let (mut len, mut start, mut end) = (0, 0, 0);
        let mut after_literal = false;
        let mut pieces = self.pieces();
        while let Some(piece) = pieces.next() {
            let is_literal = matches!(piece, Piece::Literal(_));
            if !(is_literal && after_literal) {
                (len, start) = (len + 1, end);
            }
            after_literal = is_literal;
            let segment = match piece {
                Piece::Literal(more) => {
                    end += more.len();
                    let text = literals.split_at(end).0.split_at(start).1;
                    Segment::Literal(Cow::Borrowed(text))
                }
                Piece::Param(name) => Segment::Param(Cow::Borrowed(name)),
                Piece::Rest(name) => Segment::Rest(Cow::Borrowed(name)),
            };
            // A `const` cannot drop what was there.
            std::mem::forget(std::mem::replace(&mut segments[len - 1], segment));
        }
        segments
    }

    /// Returns the subscription. The arguments are what the methods of these names returned.
    #[must_use]
    pub const fn subscription(
        &self,
        literals: &'static [u8],
        glob: &'static [u8],
        segments: &'static [Segment],
    ) -> Subscription {
        let kind = match self.role {
            Role::Channel | Role::Keyspace if self.params_len() > 0 => {
                return Subscription::from_segments(as_str(glob), segments);
            }
            Role::Channel | Role::Keyspace => Kind::Channel,
            Role::Pattern => Kind::Pattern,
            Role::Shard => Kind::Shard,
            Role::Invalidate => Kind::Invalidation,
        };
        Subscription::from_static(kind, as_str(literals))
    }
}

#[track_caller]
const fn as_str(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => unreachable!(),
    }
}
