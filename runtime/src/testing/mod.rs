//! An in-process RESP3 server for examples and tests.

mod broker;

pub use broker::Broker;
#[cfg(feature = "__fuzz")]
pub(crate) use broker::matches_glob;
