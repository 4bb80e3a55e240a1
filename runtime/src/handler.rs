use std::fmt;

use crate::extract::{BoxError, Rejection};
use crate::gap::Gap;
use crate::publish::{Answer, Publish, Publishable};
use crate::push::Push;
use crate::spec::Spec;

/// What `#[push_handler]` makes of a function.
///
/// By hand it is a type with data of its own:
///
/// ```
/// use redis_push::{Fault, Handler, Mount, Push, Spec, Subscription};
///
/// struct CountBytes;
///
/// impl<S: Sync> Handler<S> for CountBytes {
///     fn spec(&self) -> Spec {
///         Spec::new("count_bytes").on(Subscription::channel("blobs"))
///     }
///
///     async fn handle(&self, push: Push<'_>, _state: &S) -> Result<(), Fault> {
///         println!("{} bytes", push.payload().len());
///         Ok(())
///     }
/// }
///
/// let mount: Mount<()> = Mount::new(CountBytes);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a push handler for this state",
    label = "cannot be mounted",
    note = "`#[push_handler]` on an async function makes one; its arguments, and its `on_gap`, must fit the state"
)]
pub trait Handler<S>: Send + Sync + 'static {
    /// The name, the subscriptions and the policies.
    fn spec(&self) -> Spec;

    /// Handles one push.
    ///
    /// Runs on the handler's own task, one push at a time. A panic ends this delivery only.
    fn handle(&self, push: Push<'_>, state: &S) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Is told of a gap, before the first message behind it. An error is tried again with backoff
    /// before any further delivery.
    fn handle_gap(&self, gap: &Gap, state: &S) -> impl Future<Output = Result<(), Fault>> + Send {
        let _ = (gap, state);
        async { Ok(()) }
    }
}

/// Why a delivery did not end well.
#[derive(Debug)]
#[non_exhaustive]
pub enum Fault {
    /// An argument could not be taken from the push; the handler's body did not run.
    Rejected(Rejection),
    /// The handler returned an error.
    Failed(BoxError),
}

impl Fault {
    /// A fault of the handler's own: `.map_err(Fault::failed)?`.
    pub fn failed(error: impl Into<BoxError>) -> Self {
        Self::Failed(error.into())
    }
}

impl From<BoxError> for Fault {
    fn from(error: BoxError) -> Self {
        Self::Failed(error)
    }
}

impl From<Rejection> for Fault {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejection) => rejection.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Rejected(rejection) => rejection.source(),
            Self::Failed(error) => error.source(),
        }
    }
}

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

impl<E: HandlerError> IntoOutcome for Result<(), E> {
    fn into_outcome(self) -> Result<(), BoxError> {
        self.map_err(HandlerError::into_box)
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

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> HandlerError for E {
    fn into_box(self) -> BoxError {
        self.into()
    }
}
