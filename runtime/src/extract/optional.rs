use super::FromPush;
use crate::error::Rejection;
use crate::message::MessageDescriptor;
use crate::push::Push;

/// `None` if `T` is rejected, for any reason; take `Result<T, Rejection>` to see the reason. A push
/// that is not meant for the handler is still counted `unmatched`.
impl<'p, S, T: FromPush<'p, S>> FromPush<'p, S> for Option<T> {
    const MESSAGE: Option<MessageDescriptor> = T::MESSAGE;

    fn from_push(push: Push<'p>, state: &'p S) -> Result<Self, Rejection> {
        Result::<T, Rejection>::from_push(push, state).map(Result::ok)
    }
}

/// Passes a rejection to the handler, and the delivery is not counted `rejected`. A push that is
/// not meant for the handler is still counted `unmatched`.
impl<'p, S, T: FromPush<'p, S>> FromPush<'p, S> for Result<T, Rejection> {
    const MESSAGE: Option<MessageDescriptor> = T::MESSAGE;

    fn from_push(push: Push<'p>, state: &'p S) -> Result<Self, Rejection> {
        match T::from_push(push, state) {
            Err(rejection) if rejection.is_unmatched() => Err(rejection),
            result => Ok(result),
        }
    }
}
