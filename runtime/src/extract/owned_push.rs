use super::FromPush;
use crate::error::Rejection;
use crate::push::{OwnedPush, Push};

/// A copy of the push, which may outlive the delivery.
impl<'p, S> FromPush<'p, S> for OwnedPush {
    fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        Ok(push.to_owned())
    }
}
