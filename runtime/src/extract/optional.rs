use super::FromPush;
use crate::error::Rejection;
use crate::message::MessageDescriptor;
use crate::push::Push;

/// `None` where `T` is rejected, for whatever reason; take `Result<T, Rejection>` to see the
/// reason. What is not meant for the handler stays `unmatched`.
impl<'p, S, T: FromPush<'p, S>> FromPush<'p, S> for Option<T> {
    const MESSAGE: Option<MessageDescriptor> = T::MESSAGE;

    fn from_push(push: Push<'p>, state: &'p S) -> Result<Self, Rejection> {
        Result::<T, Rejection>::from_push(push, state).map(Result::ok)
    }
}

/// Lets the handler deal with what does not decode: the delivery is then no rejection. What is not
/// meant for the handler stays `unmatched`.
impl<'p, S, T: FromPush<'p, S>> FromPush<'p, S> for Result<T, Rejection> {
    const MESSAGE: Option<MessageDescriptor> = T::MESSAGE;

    fn from_push(push: Push<'p>, state: &'p S) -> Result<Self, Rejection> {
        match T::from_push(push, state) {
            Err(rejection) if rejection.is_unmatched() => Err(rejection),
            result => Ok(result),
        }
    }
}
