//! What becomes of deliveries that did not end well: an owned copy, a bounded queue, a hook.

mod hook;
mod queue;
mod report;
mod sink;

pub(crate) use hook::{BoxedHook, boxed, run};
pub(crate) use queue::Failures;
pub(crate) use report::Report;
pub use sink::FailureSink;

use std::borrow::Cow;
use std::fmt;

use crate::error::{BoxError, Fault, WithCauses};
use crate::handler::{IntoOutcome, Outcome};
use crate::push::OwnedPush;
use crate::util::Escaped;

/// A delivery that did not end well, as [`Subscriber::on_failure`](crate::Subscriber::on_failure)
/// is told of it.
///
/// It owns its bytes. `Debug` shows no payload.
pub struct Failure {
    handler: Cow<'static, str>,
    kind: FailureKind,
    fault: Option<Fault>,
    push: OwnedPush,
}

/// How a delivery that did not end well ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// An argument could not be taken from the push; the handler's body did not run.
    Rejected,
    /// The handler returned an error.
    Failed,
    /// The handler panicked.
    Panicked,
    /// The handler took longer than its timeout.
    TimedOut,
}

impl FailureKind {
    /// The kind of an outcome, where it is a failure.
    pub(crate) fn of(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Rejected => Some(Self::Rejected),
            Outcome::Failed => Some(Self::Failed),
            Outcome::Panicked => Some(Self::Panicked),
            Outcome::TimedOut => Some(Self::TimedOut),
            Outcome::Handled | Outcome::Unmatched => None,
        }
    }

    /// The name of the counter in [`HandlerStats`](crate::HandlerStats): `rejected`, `failed`,
    /// `panicked` or `timed_out`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::TimedOut => "timed_out",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Failure {
    /// Makes a failure, for unit tests of hooks.
    pub fn new(
        handler: impl Into<Cow<'static, str>>,
        kind: FailureKind,
        fault: Option<Fault>,
        push: OwnedPush,
    ) -> Self {
        Self {
            handler: handler.into(),
            kind,
            fault,
            push,
        }
    }

    /// The handler's name.
    #[must_use]
    pub fn handler(&self) -> &str {
        &self.handler
    }

    /// How the delivery ended.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// The rejection or the error, with its sources and its type; `None` for a panic and a
    /// timeout.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// Why, in words. Nothing of this library's in it quotes the payload; an error of the
    /// handler's own says what it says.
    #[must_use]
    pub fn reason(&self) -> String {
        match &self.fault {
            Some(Fault::Rejected(rejection)) => rejection.to_string(),
            Some(fault @ Fault::Failed(_)) => WithCauses(fault).to_string(),
            None => match self.kind {
                FailureKind::TimedOut => "it took longer than its timeout".to_owned(),
                _ => "it panicked".to_owned(),
            },
        }
    }

    /// Why, with what stands behind a rejection: a decoder's own words, which may quote the
    /// payload.
    #[must_use]
    pub fn detail(&self) -> String {
        match &self.fault {
            Some(fault) => WithCauses(fault).to_string(),
            None => self.reason(),
        }
    }

    /// The push that was delivered.
    #[must_use]
    pub fn push(&self) -> &OwnedPush {
        &self.push
    }

    /// The channel it was published on.
    #[must_use]
    pub fn channel(&self) -> &[u8] {
        self.push.as_push().channel()
    }

    /// The payload, as the publisher sent it.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.push.as_push().payload()
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("handler", &self.handler)
            .field("kind", &self.kind)
            .field("reason", &self.reason())
            .field("channel", &Escaped(self.channel()))
            .field("payload_len", &self.payload().len())
            .finish()
    }
}

/// What can be told of failures: a function of one [`Failure`], or a [`FailureSink`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be told of failures",
    label = "not `Fn(Failure)` with a `Send` future of `()` or `Result<(), E>`",
    note = "an async closure must not borrow what it has captured: \
            `move |failure| {{ let db = db.clone(); async move {{ … }} }}`"
)]
pub trait FailureHook: Send + Sync + 'static {
    /// Is told of one failure. An error is counted and logged, and the failure is not told again.
    fn tell(&self, failure: Failure) -> impl Future<Output = Result<(), BoxError>> + Send;
}

#[diagnostic::do_not_recommend]
impl<F, R> FailureHook for F
where
    F: Fn(Failure) -> R + Send + Sync + 'static,
    R: Future<Output: IntoOutcome> + Send,
{
    fn tell(&self, failure: Failure) -> impl Future<Output = Result<(), BoxError>> + Send {
        let told = self(failure);
        async { told.await.into_outcome() }
    }
}
