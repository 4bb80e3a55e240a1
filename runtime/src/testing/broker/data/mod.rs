//! The commands on keys.
//!
//! | file | commands |
//! | --- | --- |
//! | `strings` | SET, GET |
//! | `generic` | on keys of any type: DEL, EXISTS, FLUSHALL, FLUSHDB |
//! | `expiry` | deadlines: EXPIRE, PERSIST, TTL, … |
//!
//! What a change of a key causes is in `keys`.

mod expiry;
mod generic;
mod strings;

use super::command::Command;

/// The tables of all commands on keys.
pub(super) const TABLES: &[&[Command]] = &[strings::COMMANDS, generic::COMMANDS, expiry::COMMANDS];
