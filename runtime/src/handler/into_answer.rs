use crate::error::BoxError;
use crate::publish::{Answer, Publish, Publishable};

/// Types that can be returned from push handlers: `()`, a [`Publish`], an `Option` of one, and a
/// `Result` of any of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned from a push handler; expected `()` or `Result<(), E>`, or `Publish<T>` to answer",
    label = "not `()`, `Publish<T>` or a `Result` of them"
)]
pub trait IntoAnswer {
    /// Returns the outcome of the delivery, with the answer to publish.
    ///
    /// # Errors
    ///
    /// The error that the handler returned, or the reason why its answer cannot be encoded.
    fn into_answer(self) -> Result<Answer, BoxError>;
}

impl IntoAnswer for () {
    fn into_answer(self) -> Result<Answer, BoxError> {
        Ok(Answer::none())
    }
}

/// Types that can be returned from gap handlers and
/// [failure hooks](crate::Subscriber::on_failure): `()` and `Result<(), E>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned here; expected `()` or `Result<(), E>`",
    label = "not `()` or `Result<(), E>`"
)]
pub trait IntoOutcome {
    /// Returns the outcome.
    ///
    /// # Errors
    ///
    /// The error that the function returned.
    fn into_outcome(self) -> Result<(), BoxError>;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Types that convert into [`BoxError`]. A trait of its own, so that the compiler can explain a
/// type that does not.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a handler's error type; it must convert into `BoxError`",
    label = "returned as an error here",
    note = "any type that implements `std::error::Error`, `Send` and `Sync` does; to return errors of any type, use `redis_push::BoxError`, which is a `Box<dyn Error + Send + Sync>`"
)]
pub trait HandlerError {
    fn into_box(self) -> BoxError;
}

impl<T: Publishable> IntoAnswer for Publish<T> {
    fn into_answer(self) -> Result<Answer, BoxError> {
        Ok(Answer::of(&self.0)?)
    }
}

impl<T: Publishable> IntoAnswer for Option<Publish<T>> {
    fn into_answer(self) -> Result<Answer, BoxError> {
        match self {
            Some(answer) => answer.into_answer(),
            None => Ok(Answer::none()),
        }
    }
}

impl<A: IntoAnswer, E: HandlerError> IntoAnswer for Result<A, E> {
    fn into_answer(self) -> Result<Answer, BoxError> {
        self.map_err(HandlerError::into_box)?.into_answer()
    }
}

impl<E: HandlerError> IntoOutcome for Result<(), E> {
    fn into_outcome(self) -> Result<(), BoxError> {
        self.map_err(HandlerError::into_box)
    }
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> HandlerError for E {
    fn into_box(self) -> BoxError {
        self.into()
    }
}
