//! What the tests of `redis-push` share: servers to run against, a bad network
//! before them, a harness that runs each test once per server, and bounded waits.

// Neither rustdoc nor trybuild takes the flags of the build; neither needs what they expose.
#[cfg(not(any(redis_push_internals, doc, trybuild)))]
compile_error!(
    "the variable RUSTFLAGS has taken the place of .cargo/config.toml: \
     add `--cfg redis_push_internals` to it"
);

mod certificates;
#[cfg(test)]
mod floors;
#[cfg(redis_push_internals)]
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
