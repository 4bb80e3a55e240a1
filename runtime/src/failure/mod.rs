//! Failures: deliveries that were rejected, failed, panicked or timed out, on their way to a hook.
//!
//! ```text
//! delivery ─┬─▶ Report ──▶ log, at most once a second for each handler and outcome
//!           │
//!           └─▶ Failures::report ──▶ queue ──▶ the hook's task ──▶ FailureHook::tell
//!                      │
//!                      └─ full or closed: dropped and counted
//! ```
//!
//! A [`Failure`] is an owned copy of the push with the reason. A [`FailureHook`] is a function of
//! the user, or a [`FailureSink`], which writes failures to a Redis stream or list.
//!
//! # In and out
//!
//! `delivery` reports failures to [`Failures`] and logs a [`Report`]. `subscriber` creates the
//! queue if [`Subscriber::on_failure`](crate::Subscriber::on_failure) has set a hook, spawns
//! [`run`] as a task, and closes the queue at a shutdown, after the handlers have ended. The counts
//! are the [`FailureStats`](crate::FailureStats).
//!
//! # Invariants
//!
//! - A handler never waits for the hook. The queue is bounded, in failures and in bytes, and a failure
//!   that finds it full is dropped, counted and logged. Its bytes are a part of the memory limit.
//! - Every failure counts once: as accepted, failed or panicked in the hook, as dropped, or as
//!   queued.
//! - A failure is passed to the hook at most once. Retries are up to the hook.
//! - A panic of the hook ends one call, not the task.
//! - The parts of the log, of [`Failure::reason`] and of `Debug` that come from this library do not
//!   quote the payload. [`Failure::detail`] may.
//! - Without a hook there is no queue, and nothing is copied.

mod hook;
mod queue;
mod report;
mod sink;

pub(crate) use hook::{BoxedHook, boxed, run};
pub(crate) use queue::{Failures, Limit};
pub(crate) use report::{Report, ReportLimits, UNMATCHED, UNMATCHED_HINT, log_unmatched};
pub use sink::FailureSink;

use std::borrow::Cow;
use std::fmt;

use crate::error::{BoxError, Fault, WithCauses};
use crate::gap::Gap;
use crate::handler::{IntoOutcome, OutcomeKind};
use crate::push::OwnedPush;
use crate::subscription::Subscription;
use crate::util::{Contained, Escaped, PanicMessage};

/// A delivery that was rejected, failed, panicked or timed out, as it is passed to
/// [`Subscriber::on_failure`](crate::Subscriber::on_failure).
///
/// It owns its bytes. `Debug` does not show the payload.
pub struct Failure {
    handler: Cow<'static, str>,
    kind: FailureKind,
    fault: Contained<Fault>,
    panic: PanicMessage,
    push: OwnedPush,
    gap: Option<Gap>,
}

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// An argument could not be extracted from the push; the handler's body did not run.
    Rejected,
    /// The handler returned an error.
    Failed,
    /// The handler panicked.
    Panicked,
    /// The handler took longer than its timeout.
    TimedOut,
    /// The handler's gap handler returned an error or panicked. It is called again, and the handler
    /// gets no message until it succeeds.
    GapNotHandled,
}

impl FailureKind {
    /// Returns the kind of an outcome; `None` if it is not a failure.
    pub(crate) fn of(outcome: OutcomeKind) -> Option<Self> {
        match outcome {
            OutcomeKind::Rejected => Some(Self::Rejected),
            OutcomeKind::Failed => Some(Self::Failed),
            OutcomeKind::Panicked => Some(Self::Panicked),
            OutcomeKind::TimedOut => Some(Self::TimedOut),
            OutcomeKind::Handled | OutcomeKind::Unmatched | OutcomeKind::Skipped => None,
        }
    }

    /// Returns the name of the counter in [`HandlerStats`](crate::HandlerStats): `rejected`,
    /// `failed`, `panicked`, `timed_out` or `gap_failures`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::TimedOut => "timed_out",
            Self::GapNotHandled => "gap_failures",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Failure {
    /// Creates a failure, for unit tests of hooks.
    pub fn new(
        handler: impl Into<Cow<'static, str>>,
        kind: FailureKind,
        fault: Option<Fault>,
        push: OwnedPush,
    ) -> Self {
        Self {
            handler: handler.into(),
            kind,
            fault: Contained::new(fault),
            panic: PanicMessage::default(),
            push,
            gap: None,
        }
    }

    /// Creates a failure of a gap handler, for unit tests of hooks. The channel and the payload of its
    /// push are empty.
    pub fn of_gap(handler: impl Into<Cow<'static, str>>, gap: Gap, fault: Option<Fault>) -> Self {
        let push = OwnedPush::new(Subscription::channel(""), "", "");
        Self {
            gap: Some(gap),
            ..Self::new(handler, FailureKind::GapNotHandled, fault, push)
        }
    }

    /// Sets the message of a panic, for unit tests of hooks.
    #[must_use]
    pub fn with_panic_message(self, message: impl Into<String>) -> Self {
        let panic = PanicMessage::new(message.into());
        Self { panic, ..self }
    }

    /// Returns the handler's name.
    #[must_use]
    pub fn handler(&self) -> &str {
        &self.handler
    }

    /// Returns how the delivery ended.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// Returns the rejection or the error, with its sources and its type; `None` for a panic and a
    /// timeout.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.get()
    }

    /// Returns the message of the panic; `None` if the delivery ended in another way, or if the
    /// payload of the panic is not a text.
    #[must_use]
    pub fn panic_message(&self) -> Option<&str> {
        self.panic.as_str()
    }

    /// Returns the reason as text. The parts from this library do not quote the payload; an error
    /// of the handler is included with its sources, and so is the message of a panic.
    #[must_use]
    pub fn reason(&self) -> String {
        match self.fault() {
            Some(Fault::Rejected(rejection)) => rejection.to_string(),
            Some(fault @ Fault::Failed(_)) => WithCauses(fault).to_string(),
            None => match self.kind {
                FailureKind::TimedOut => "it took longer than its timeout".to_owned(),
                _ => self.panic.to_string(),
            },
        }
    }

    /// Returns the reason with the sources of a rejection, such as a decoder's error, which may
    /// quote the payload.
    #[must_use]
    pub fn detail(&self) -> String {
        match self.fault() {
            Some(fault) => WithCauses(fault).to_string(),
            None => self.reason(),
        }
    }

    /// Returns the gap that the gap handler could not handle; `None` for a delivery.
    #[must_use]
    pub fn gap(&self) -> Option<&Gap> {
        self.gap.as_ref()
    }

    /// Returns the push that was delivered.
    #[must_use]
    pub fn push(&self) -> &OwnedPush {
        &self.push
    }

    /// Returns the channel that the push was published on.
    #[must_use]
    pub fn channel(&self) -> &[u8] {
        self.push.as_push().channel()
    }

    /// Returns the payload, as the publisher sent it.
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

/// Types that can be used as a failure hook: a function that takes a [`Failure`], or a
/// [`FailureSink`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be used as a failure hook",
    label = "not `Fn(Failure)` with a `Send` future of `()` or `Result<(), E>`",
    note = "an async closure must not borrow what it has captured: \
            `move |failure| {{ let db = db.clone(); async move {{ … }} }}`"
)]
pub trait FailureHook: Send + Sync + 'static {
    /// Handles one failure. An error is counted and logged, and the failure is not passed again.
    fn tell(&self, failure: Failure) -> impl Future<Output = Result<(), BoxError>> + Send;
}

#[diagnostic::do_not_recommend]
impl<F, R> FailureHook for F
where
    F: Fn(Failure) -> R + Send + Sync + 'static,
    R: Future<Output: IntoOutcome> + Send,
{
    fn tell(&self, failure: Failure) -> impl Future<Output = Result<(), BoxError>> + Send {
        let running = self(failure);
        async { running.await.into_outcome() }
    }
}
