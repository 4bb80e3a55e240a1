use crate::error::BoxError;
use crate::publish::{Answer, Publish, Publishable};

/// What a push handler may return: `()`, a [`Publish`], an `Option` of one, and a `Result` of any
/// of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned from a push handler; expected `()` or `Result<(), E>`, or `Publish<T>` to answer",
    label = "not `()`, `Publish<T>` or a `Result` of them"
)]
pub trait IntoAnswer {
    /// Says how the delivery ended, and what is to be published.
    ///
    /// # Errors
    ///
    /// The error that the handler returned, or why its answer could not be written.
    fn into_answer(self) -> Result<Answer, BoxError>;
}

impl IntoAnswer for () {
    fn into_answer(self) -> Result<Answer, BoxError> {
        Ok(Answer::none())
    }
}

/// What a gap handler and a [failure hook](crate::Subscriber::on_failure) may return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned here; expected `()` or `Result<(), E>`",
    label = "not `()` or `Result<(), E>`"
)]
pub trait IntoOutcome {
    /// Says how it ended.
    ///
    /// # Errors
    ///
    /// The error that was returned.
    fn into_outcome(self) -> Result<(), BoxError>;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Result<(), BoxError> {
        Ok(())
    }
}

/// What converts into [`BoxError`], under a name whose absence the compiler can explain.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a handler's error type; it must convert into `BoxError`",
    label = "returned as an error here",
    note = "what implements `std::error::Error` and is `Send` and `Sync` does; for any error at all take `redis_push::BoxError`, which is a `Box<dyn Error + Send + Sync>`"
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
