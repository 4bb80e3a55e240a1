//! What the tests of `redis-push` share: servers to run against, a harness that runs each test
//! once per server, and bounded waits.

pub mod fuzz;
pub mod harness;
mod raw;
mod real_server;
mod server;
mod wait;

pub use raw::RawClient;
pub use real_server::{RealServer, ServerBinary};
pub use server::Server;
pub use wait::{BOUND, eventually, eventually_in, within};

/// The README's code compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
