use super::FromPush;
use crate::error::Rejection;
use crate::push::Push;
use crate::telemetry::TraceParent;

/// The trace context that the message carries. Take `Option<TraceParent>` if it may have none, as messages have
/// whose publisher is not traced.
///
/// It is at the beginning of the payload, so it is found whatever the type of the message is.
impl<'p, S> FromPush<'p, S> for TraceParent {
    fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        Self::of_payload(push.payload()).ok_or_else(|| {
            Rejection::new("the message carries no trace context: take `Option<TraceParent>`")
        })
    }
}
