//! An in-process RESP3 server for examples and tests.
//!
//! [`Broker`] is the whole public API: start it, pass its [`url`](Broker::url) to a
//! [`Subscriber`](crate::Subscriber) or to redis-rs, publish, and inject [faults](Broker#faults).
//! [`Broker::cluster`] starts several of them as the nodes of a [cluster](BrokerCluster).
//!
//! ```
//! use redis_push::testing::Broker;
//! use redis_push::{Subscriber, handlers, push_handler};
//!
//! #[push_handler(channel = "news")]
//! async fn on_news(text: &str) {
//!     println!("{text}");
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let broker = Broker::start().await?;
//! let handle = Subscriber::new(broker.url()).handlers(handlers![on_news]).start().await?;
//! broker.publish("news", "hello");
//! broker.kill_connections(); // the subscriber reconnects
//! # drop(handle);
//! # Ok(())
//! # }
//! ```
//!
//! The broker imports nothing from the rest of this crate. Only the kit, tests and fuzz targets import it.

mod broker;
mod kit;

#[cfg(redis_push_internals)]
pub(crate) use broker::matches_glob;
pub use broker::{Broker, BrokerCluster, ClusterBuilder};
pub use kit::{Call, Calls, KitReport, Published, ReportedGap, TestKit, deliver};
