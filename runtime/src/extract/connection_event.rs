use super::FromPush;
use crate::error::Rejection;
use crate::message::{MessageDescriptor, Source};
use crate::push::{ConnectionEvent, Push};
use crate::subscription::Kind;

impl<'p, S> FromPush<'p, S> for ConnectionEvent<'p> {
    const MESSAGE: Option<MessageDescriptor> =
        Some(MessageDescriptor::from_source(Source::Connection));

    fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        let is_event = push.subscription().kind() == Kind::Connection;
        let event = is_event.then(|| Self::read(push.payload())).flatten();
        event.ok_or_else(|| Rejection::new("the push is not a connection event"))
    }
}
