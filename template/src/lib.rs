//! The grammar of channel templates, such as `quotes.{symbol}`.
//!
//! `redis-push` parses templates at run time, and its macros parse them at compile time. A
//! procedural macro cannot link the crate that uses it, so the grammar lives in this crate, below
//! both. It is written once, as a [`Parser`] that also runs in a `const`. [`parse`] collects what it
//! yields, for those that have memory.
//!
//! This crate is an implementation detail of `redis-push`. Its API may change in any release;
//! `redis-push` and `redis-push-macros` pin its exact version.
//!
//! # Grammar
//!
//! - `{name}` is a param. It takes one or more characters other than `.`, `:` and `/`.
//! - `{name*}` is a param that takes the rest. Nothing can follow it.
//! - `{{` and `}}` are literal braces.
//! - Everything else is literal text.
//! - Two params need literal text between them, and no name may occur twice.
//! - A name starts with a letter or `_`, and continues with letters, digits and `_`, like a Rust
//!   identifier.
//!
//! ```
//! use redis_push_template::{Parser, Piece};
//!
//! const PIECES: usize = {
//!     let mut parser = Parser::new("quotes.{symbol}");
//!     let mut count = 0;
//!     while let Some(Ok(_)) = parser.next_piece() {
//!         count += 1;
//!     }
//!     count
//! };
//! assert_eq!(PIECES, 2);
//!
//! let pieces: Result<Vec<_>, _> = Parser::new("a{{b.{x*}").collect();
//! assert_eq!(
//!     pieces.unwrap(),
//!     [Piece::Literal("a{"), Piece::Literal("b."), Piece::Rest("x")]
//! );
//! ```

mod parser;
mod problem;
mod segment;

pub use parser::{Parser, Piece};
pub use problem::{Problem, ProblemKind};
pub use segment::{Segment, TemplateError, glob, parse, push_escaped};

/// The characters that a param never contains, unless it takes the rest.
pub const SEPARATORS: [char; 3] = ['.', ':', '/'];

/// Returns whether a byte of a UTF-8 text is one of the [`SEPARATORS`].
#[inline]
#[must_use]
pub const fn is_separator(byte: u8) -> bool {
    let mut at = 0;
    while at < SEPARATORS.len() {
        if byte == SEPARATORS[at] as u8 {
            return true;
        }
        at += 1;
    }
    false
}
