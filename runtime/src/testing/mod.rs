//! An in-process RESP3 server for examples and tests.

mod broker;

pub use broker::Broker;
#[cfg(redis_push_internals)]
pub(crate) use broker::matches_glob;
