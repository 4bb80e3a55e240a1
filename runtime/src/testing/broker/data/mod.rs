//! The commands on keys.
//!
//! | file | commands |
//! | --- | --- |
//! | `strings`, `counters` | strings: SET, GET, …; INCR, … |
//! | `hashes`, `lists`, `sets` | one type each |
//! | `sorted_sets`, `scores`, `ranges` | sorted sets: ZREM, ZSCORE, …; ZADD, ZINCRBY; ZRANGE, ZCOUNT, … |
//! | `generic` | on keys of any type: DEL, EXISTS, KEYS, … |
//! | `expiry` | deadlines: EXPIRE, PERSIST, TTL, … |
//! | `indices` | the indices of LRANGE, ZRANGE, … |
//!
//! What a change of a key causes is in `keys`.

mod counters;
mod expiry;
mod generic;
mod hashes;
mod indices;
mod lists;
mod ranges;
mod scores;
mod sets;
mod sorted_sets;
mod strings;

use super::command::Command;
use super::request::integer;

/// The tables of all commands on keys.
pub(super) const TABLES: &[&[Command]] = &[
    strings::COMMANDS,
    counters::COMMANDS,
    generic::COMMANDS,
    expiry::COMMANDS,
    hashes::COMMANDS,
    lists::COMMANDS,
    sets::COMMANDS,
    sorted_sets::COMMANDS,
    scores::COMMANDS,
    ranges::COMMANDS,
];

/// Parses the number of elements to take.
fn positive(text: &[u8]) -> Result<usize, &'static str> {
    integer(text)
        .and_then(|count| usize::try_from(count).ok())
        .ok_or("ERR value is out of range, must be positive")
}
