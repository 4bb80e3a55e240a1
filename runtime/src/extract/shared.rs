use std::sync::Arc;

use super::FromPush;
use crate::error::Rejection;
use crate::message::MessageDescriptor;
use crate::push::Push;

/// A message that is decoded once, however many handlers or streams of its name take it as an `Arc` of the
/// same type.
///
/// Whoever comes first decodes; the others share the value, or the rejection. Nobody waits for another
/// one, so two that come at the same moment may both decode. The value is dropped when the last reader has
/// passed the message and no `Arc` of it is left. It does not count for the
/// [`memory_limit`](crate::Subscriber::memory_limit). Handlers share with each other if they have the same
/// list of names and the same options of the buffer, and so do the streams of one name. A message with
/// only one reader is not stored.
///
/// The type may not borrow from the push, and it is decoded without the subscriber's state.
impl<'p, S, T> FromPush<'p, S> for Arc<T>
where
    T: for<'q> FromPush<'q, ()> + Send + Sync + 'static,
{
    const MESSAGE: Option<MessageDescriptor> = <T as FromPush<'static, ()>>::MESSAGE;
    const NEEDS_PATTERN: bool = <T as FromPush<'static, ()>>::NEEDS_PATTERN;
    const NEEDS_CHANNEL: bool = <T as FromPush<'static, ()>>::NEEDS_CHANNEL;

    fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        push.decode_once(|push| T::from_push(push, &()))
    }
}
