//! Shared tools of the tests of `redis-push`.
//!
//! - [`harness`] runs each test once per server: on the embedded broker and on every real server
//!   that is found. [`Server`], [`RealServer`] and [`RawClient`] are what a test talks to.
//! - [`RealCluster`] is a cluster of real servers, [`RealSentinels`] are servers that sentinels watch.
//!   Both do to them what happens to servers in production. A [`FakeSentinel`] says what a test wants.
//! - [`Proxy`] and [`TlsProxy`] stand between a client and a server, and inject network faults.
//!   [`Authority`] issues the certificates.
//! - [`within`] and [`eventually`] are bounded waits, which tests use instead of sleeping.
//! - [`overheard`] records everything that the process logs.
//! - `fuzz` holds the functions that the fuzz targets call.
//!
//! `tests/README.md` says where a new test belongs.

// rustdoc and trybuild do not pass on the flags of the build, and do not need what they expose.
#[cfg(not(any(redis_push_internals, doc, trybuild)))]
compile_error!(
    "RUSTFLAGS, or the rustflags of a target, override .cargo/config.toml: \
     add `--cfg redis_push_internals` to it"
);

mod certificates;
mod cluster;
mod fake_sentinel;
#[cfg(test)]
mod floors;
#[cfg(redis_push_internals)]
pub mod fuzz;
#[cfg(test)]
mod guide;
pub mod harness;
pub mod overheard;
mod proxy;
mod raw;
mod real_cluster;
mod real_sentinel;
mod real_server;
mod server;
mod tls_proxy;
mod wait;

pub use certificates::{Authority, Certificate};
pub use cluster::{Cluster, ClusterClient};
pub use fake_sentinel::FakeSentinel;
pub use proxy::{Proxy, Way};
pub use raw::RawClient;
pub use real_cluster::{ClusterShape, First, Node, RealCluster, SLOTS, SlotMove};
pub use real_sentinel::{RealSentinels, SentinelShape};
pub use real_server::{RealServer, ServerBinary};
pub use server::Server;
pub use tls_proxy::TlsProxy;
pub use wait::{BOUND, eventually, eventually_in, within};

/// Compiles and runs the code blocks of the README as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// Compiles and runs the examples in the docs of the macros.
#[cfg(doctest)]
mod macro_docs {
    #[doc = include_str!("../../macros/docs/push_handler.md")]
    struct PushHandler;
    #[doc = include_str!("../../macros/docs/gap_handler.md")]
    struct GapHandler;
    #[doc = include_str!("../../macros/docs/handlers.md")]
    struct Handlers;
    #[doc = include_str!("../../macros/docs/push_message.md")]
    struct PushMessage;
}
