use bytes::Bytes;

use super::FromPush;
use crate::error::Rejection;
use crate::message::MessageDescriptor;
use crate::push::Push;

impl<'p, S> FromPush<'p, S> for &'p [u8] {
    const MESSAGE: Option<MessageDescriptor> = Some(MessageDescriptor::payload("bytes"));

    fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        Ok(push.payload())
    }
}

/// The payload, which may outlive the delivery. It is copied if [`Push::payload_bytes`] copies it.
impl<'p, S> FromPush<'p, S> for Bytes {
    const MESSAGE: Option<MessageDescriptor> = Some(MessageDescriptor::payload("bytes"));

    fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        Ok(push.payload_bytes())
    }
}
