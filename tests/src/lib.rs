//! What the tests of `redis-push` share: servers to run against, a bad network
//! before them, a harness that runs each test once per server, and bounded waits.

mod certificates;
pub mod fuzz;
pub mod harness;
pub mod overheard;
mod proxy;
mod raw;
mod real_server;
mod real_tls;
mod server;
mod tls_proxy;
mod wait;

pub use certificates::{Authority, Certificate};
pub use proxy::{Proxy, Way};
pub use raw::RawClient;
pub use real_server::{RealServer, ServerBinary};
pub use server::Server;
pub use tls_proxy::TlsProxy;
pub use wait::{BOUND, eventually, eventually_in, within};

/// The README's code compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
