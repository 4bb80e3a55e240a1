//! Spans through `tracing`, and the contexts that messages carry.
//!
//! - [`Spans`] is the setting, and opens the spans. Their names and fields are in `names` of `export`.
//! - [`TraceParent`] is a context, and `carrier` its place in a payload.
//! - [`Propagator`] connects both, and is implemented by the user.
//!
//! # In and out
//!
//! `delivery` opens the spans of deliveries, `publish` those of publishing, and writes the contexts.
//! `macro_support` reads payloads without them.
//!
//! # Invariants
//!
//! - Nothing here runs where spans are off and the message type carries no context.
//! - A subscriber of `tracing` and a propagator are code of the user: a panic in them is caught, and delivers or
//!   publishes the message all the same.

mod carrier;
mod propagator;
mod spans;
mod trace_parent;

pub use carrier::Carrier;
#[cfg(feature = "msgpack")]
pub(crate) use carrier::begins_map;
pub(crate) use carrier::begins_object;
pub use propagator::{Propagator, Relation};
pub use spans::Spans;
pub(crate) use spans::{OpenSpan, Process};
pub use trace_parent::TraceParent;

use super::export::names;
