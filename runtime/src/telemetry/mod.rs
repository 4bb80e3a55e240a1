mod stats;
mod table;

pub use stats::{FailureStats, FeedStats, HandlerStats, Stats};
