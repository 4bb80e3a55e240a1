//! The other direction: messages, from values to the server.

mod answer;
mod command;
mod publisher;
mod push;

pub use answer::{Answer, Publish};
pub use command::Publishable;
pub use publisher::{Publisher, Publishing};
