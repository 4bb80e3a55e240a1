//! Telemetry: the counts of a subscriber, as plain data.
//!
//! [`Stats`] is a snapshot of everything that is counted: one [`HandlerStats`] for each handler,
//! the [`FeedStats`] of the connection, and the [`FailureStats`] of the failure hook. It can be
//! serialized, compared, printed as a table (`table`), and exported as metrics (`export`).
//! `trace` has the spans, and the contexts of traces that messages carry.
//!
//! # In and out
//!
//! Nothing is counted here. `subscriber` assembles a snapshot when it is asked for one: `delivery`
//! reads the counters of each handler and of its broadcast channel, `dispatch` those of the
//! connection, `failure` those of the hook, and `tasks` the restarts.
//!
//! # Invariants
//!
//! - Every push that a handler has received is in exactly one of its counts. When nothing is under
//!   way, [`HandlerStats::received`] is equal to [`HandlerStats::accounted`]. At any other moment
//!   it is at least that much, because the counters are read one after the other.
//! - The counts only grow, except `queued` and `running`, which describe the moment.
//! - The names of the fields are part of the serialized form.

mod cache;
mod export;
mod feed;
mod gaps;
mod handler;
mod labels;
mod stats;
mod stream;
mod table;
mod timings;
mod topology;
mod trace;

pub use cache::CacheStats;
pub use feed::{FailureStats, FeedStats};
pub use gaps::GapCounts;
pub use handler::HandlerStats;
pub(crate) use labels::{MOST_LABELS, OTHERS, one_of_bounded};
pub use stats::{NameStats, StateStats, Stats};
pub use stream::StreamStats;
pub use timings::{TimingStats, Timings};
pub use topology::{NodeRole, NodeTopology, SentinelTopology, Topology};
#[cfg(feature = "msgpack")]
pub(crate) use trace::begins_map;
pub use trace::{Carrier, Propagator, Relation, Spans, TraceParent};
pub(crate) use trace::{OpenSpan, Process, begins_object};
