//! The other direction: messages, from values to the server.

mod answer;
mod outgoing;
mod payload;
mod publisher;

pub use answer::{Answer, Publish};
pub use outgoing::Publishable;
pub use payload::ToPayload;
pub use publisher::{Publisher, Publishing};
