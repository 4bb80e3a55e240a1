//! The near cache: values in this process, which the server invalidates.
//!
//! ```text
//!                      hit
//!   get(key) ──▶ Store ────────────────────────────▶ value
//!                  │ │
//!         not here │ │ not synced                    not kept
//!                  ▼ └─────────────▶ Source ────────▶ value
//!        Flight ── one of those who wait ──▶ Source
//!                  │
//!                  ▼ still registered: kept
//!                Entries
//! ```
//!
//! | file | contents |
//! | --- | --- |
//! | `near_cache` | [`NearCache`]: what users call |
//! | `builder` | [`NearCacheBuilder`]: what a cache is to be |
//! | `beginning` | from that to a cache, with or without a wait for the server |
//! | `store` | `Store`: entries, loads under way, and the stream of changes, under one lock |
//! | `ticket` | `Found`: what there is for a key; `Ticket`: the part of one caller in a load |
//! | `entries` | `Entries`: bounded by `quick_cache`, and how much an entry counts for |
//! | `flight` | `Flight`: one load for all who ask for its key meanwhile |
//! | `source` | `Source`: `GET`, or the user's loader |
//! | `decode` | from the bytes of a key to a value |
//! | `key_template` | `KeyTemplate`: from a param to a key, and back |
//! | `concurrent` | many loads at once, but not all |
//! | `counters` | what caches count, by template |
//!
//! # In and out
//!
//! `subscriber` calls [`NearCacheBuilder::new`]. `stream` gives the invalidations and says whether they
//! are live, `connection` reads keys. `telemetry` has the counts as plain data.
//!
//! # Why what is served is right
//!
//! The server reports changes on the connection of the subscriptions, and values are read on another one.
//! Either may be late, so the store holds on to these invariants:
//!
//! - Every use of the store first applies the changes that have arrived. A change removes its entry. A
//!   gap, a lag among them, removes all of them.
//! - A load is registered before it begins, while the store is *synced*: the invalidations are confirmed
//!   on the current connection, and the beginning of the stream is read. A change of its key, and a gap,
//!   remove it from the register. What it brings is kept only if it is still there. So whatever changes
//!   after the value was read removes the entry or prevents it.
//! - Entries are served, and loads registered, only while the store is synced. It asks for that before
//!   it reads the changes. Otherwise a connection that was lost could be confirmed again in between, and
//!   entries from before the loss would be served: the gap was not there when the changes were read.
//! - An entry knows the end of its key's time to live, counted from before the server was asked, because
//!   the server may remove the key much later. What changes that time is reported like any change.
//! - No user code runs under the lock: loaders, codecs and weights run before it is taken, and values are
//!   dropped after it is released.
//!
//! # A load and those who wait
//!
//! Whoever asks for a key that is not here takes part in its `Flight` by a `Ticket`. One of them has the
//! turn to load, in its own task. If its future is dropped, the ticket gives the turn to the next one. The
//! last ticket that is dropped without an outcome takes the flight out of the register.

mod beginning;
mod builder;
mod concurrent;
mod counters;
mod decode;
mod entries;
mod flight;
mod key_template;
mod near_cache;
mod source;
mod store;
mod ticket;

pub(crate) use builder::CacheContext;
pub use builder::NearCacheBuilder;
pub use near_cache::NearCache;

#[cfg(test)]
mod tests;
