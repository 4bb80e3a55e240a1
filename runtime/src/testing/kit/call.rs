use std::fmt::{self, Debug};

use super::difference::difference;
use super::published::{Message, Published};
use crate::error::Rejection;
use crate::extract::FromPush;
use crate::message::PushMessage;
use crate::probe::Ending;
use crate::push::{OwnedPush, Push};
use crate::util::Escaped;

/// One delivery to a handler, or one message that a stream has returned.
///
/// [`Calls`](super::Calls) returns it, and [`deliver`](super::deliver). The methods that assert something
/// return the call, so that they can be chained. They panic with the name of the handler and its place.
///
/// ```
/// use redis_push::{Text, push_handler, testing};
///
/// #[push_handler(channel = "temperature")]
/// async fn on_temperature(Text(degrees): Text<f64>) -> Result<(), &'static str> {
///     if degrees < 50.0 { Ok(()) } else { Err("a fire?") }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let call = testing::deliver(on_temperature {}, "temperature", "80.5", &()).await;
/// call.with(&Text(80.5)).failed("fire");
/// # }
/// ```
#[derive(Clone)]
pub struct Call {
    label: String,
    push: OwnedPush,
    ending: Ending,
    published: Vec<Message>,
}

impl Call {
    pub(crate) fn new(label: String, push: OwnedPush, ending: Ending) -> Self {
        Self {
            label,
            push,
            ending,
            published: Vec::new(),
        }
    }

    pub(crate) fn with_published(self, published: Vec<Message>) -> Self {
        Self { published, ..self }
    }

    /// Returns the name of the handler and its place.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Returns the push that was delivered.
    #[must_use]
    pub fn push(&self) -> Push<'_> {
        self.push.as_push()
    }

    /// Asserts that the message is equal to this value, which is decoded as by the handler: a
    /// `#[derive(PushMessage)]` type, `Json<T>`, `Text<T>` or another extractor that borrows nothing.
    ///
    /// # Panics
    ///
    /// Panics if it is not, or if the payload does not decode.
    #[track_caller]
    pub fn with<T>(&self, expected: &T) -> &Self
    where
        T: for<'p> FromPush<'p, ()> + PartialEq + Debug,
    {
        match self.decode::<T>() {
            Ok(message) if message == *expected => self,
            Ok(message) => panic!(
                "{} was called with another message than expected:\n{}",
                self.label,
                difference(expected, &message)
            ),
            Err(rejection) => panic!(
                "{} was called with a message that does not decode as the expected type: {}\n    \
                 expected: {expected:?}\n    {self:?}",
                self.label,
                reason(&rejection)
            ),
        }
    }

    /// Asserts that the message, decoded, fulfils a condition.
    ///
    /// # Panics
    ///
    /// Panics if it does not, or if the payload does not decode.
    #[track_caller]
    pub fn matching<T>(&self, condition: impl FnOnce(&T) -> bool) -> &Self
    where
        T: for<'p> FromPush<'p, ()> + Debug,
    {
        match self.decode::<T>() {
            Ok(message) if condition(&message) => self,
            Ok(message) => panic!(
                "{} was called with a message that does not fulfil the condition: {message:#?}",
                self.label
            ),
            Err(rejection) => panic!(
                "{} was called with a message that does not decode: {}\n    {self:?}",
                self.label,
                reason(&rejection)
            ),
        }
    }

    /// Asserts that the payload is this, byte for byte.
    ///
    /// # Panics
    ///
    /// Panics if it is not.
    #[track_caller]
    pub fn with_payload(&self, expected: impl AsRef<[u8]>) -> &Self {
        let (expected, payload) = (expected.as_ref(), self.push().payload());
        assert!(
            payload == expected,
            "{} was called with another payload than expected:\n  expected: {}\n  received: {}",
            self.label,
            Payload(expected),
            Payload(payload)
        );
        self
    }

    /// Asserts that the message was published on this channel.
    ///
    /// # Panics
    ///
    /// Panics if it was not.
    #[track_caller]
    pub fn on(&self, expected: impl AsRef<[u8]>) -> &Self {
        let (expected, channel) = (expected.as_ref(), self.push().channel());
        assert!(
            channel == expected,
            "{} was called for another channel than expected:\n  expected: {}\n  received: {}",
            self.label,
            Escaped(expected),
            Escaped(channel)
        );
        self
    }

    /// Asserts that the handler has returned without an error.
    ///
    /// # Panics
    ///
    /// Panics if it has not.
    #[track_caller]
    pub fn handled(&self) -> &Self {
        self.ended("have handled it", |ending| {
            matches!(ending, Ending::Handled)
        })
    }

    /// Asserts that the handler has returned an error whose text, with its sources, contains this.
    ///
    /// # Panics
    ///
    /// Panics if it has not.
    #[track_caller]
    pub fn failed(&self, text: impl AsRef<str>) -> &Self {
        let text = text.as_ref();
        self.ended(
            &format!("have failed with {text:?}"),
            |ending| matches!(ending, Ending::Failed(reason) if reason.contains(text)),
        )
    }

    /// Asserts that an argument of the handler could not be extracted, for a reason whose text, with its
    /// sources, contains this. The handler's body did not run.
    ///
    /// # Panics
    ///
    /// Panics if it has not.
    #[track_caller]
    pub fn rejected(&self, text: impl AsRef<str>) -> &Self {
        let text = text.as_ref();
        self.ended(
            &format!("have rejected it with {text:?}"),
            |ending| matches!(ending, Ending::Rejected(reason) if reason.contains(text)),
        )
    }

    /// Asserts that the handler has panicked with a message that contains this.
    ///
    /// # Panics
    ///
    /// Panics if it has not.
    #[track_caller]
    pub fn panicked(&self, text: impl AsRef<str>) -> &Self {
        let text = text.as_ref();
        self.ended(
            &format!("have panicked with {text:?}"),
            |ending| matches!(ending, Ending::Panicked(reason) if reason.contains(text)),
        )
    }

    /// Asserts that the handler has taken longer than its timeout.
    ///
    /// # Panics
    ///
    /// Panics if it has not.
    #[track_caller]
    pub fn timed_out(&self) -> &Self {
        self.ended("have timed out", |ending| {
            matches!(ending, Ending::TimedOut)
        })
    }

    /// Asserts that the channel is none of the handler's template, or that an extractor has said so.
    /// [`deliver`](super::deliver) returns such a call; the kit counts them only.
    ///
    /// # Panics
    ///
    /// Panics if it is.
    #[track_caller]
    pub fn unmatched(&self) -> &Self {
        self.ended("be unmatched", |ending| matches!(ending, Ending::Unmatched))
    }

    /// Asserts that a [layer](crate::Layer) has skipped the delivery.
    ///
    /// # Panics
    ///
    /// Panics if none has.
    #[track_caller]
    pub fn skipped(&self) -> &Self {
        self.ended("be skipped", |ending| matches!(ending, Ending::Skipped))
    }

    /// Returns the messages of a type that the handler has published during this call, as answers or
    /// through a [`Publisher`](crate::Publisher).
    #[must_use]
    pub fn published<M>(&self) -> Published<M>
    where
        M: PushMessage + for<'p> FromPush<'p, ()>,
    {
        Published::of(self.published.clone(), format!("by {}", self.label))
    }

    #[track_caller]
    fn ended(&self, expected: &str, is_expected: impl FnOnce(&Ending) -> bool) -> &Self {
        assert!(
            is_expected(&self.ending),
            "{} should {expected}, and has {}\n    {self:?}",
            self.label,
            InWords(&self.ending)
        );
        self
    }

    pub(super) fn decode<T: for<'p> FromPush<'p, ()>>(&self) -> Result<T, Rejection> {
        T::from_push(self.push(), &())
    }

    pub(super) fn is_handled(&self) -> bool {
        self.ending == Ending::Handled
    }
}

pub(super) fn reason(rejection: &Rejection) -> String {
    crate::error::WithCauses(rejection).to_string()
}

/// Shows the channel, the payload and the outcome: a test may show its payloads.
impl Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let push = self.push();
        write!(
            f,
            "`{}` {}: {}",
            Escaped(push.channel()),
            Payload(push.payload()),
            InWords(&self.ending)
        )
    }
}

/// A payload: as text, if it is text.
pub(super) struct Payload<'p>(pub(super) &'p [u8]);

impl fmt::Display for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 1_000;
        match std::str::from_utf8(self.0) {
            Ok(text) if text.len() <= MOST => f.write_str(text),
            _ => write!(f, "{}", Escaped(self.0)),
        }
    }
}

/// Says how a delivery has ended.
struct InWords<'e>(&'e Ending);

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ending::Handled => f.write_str("handled it"),
            Ending::Failed(reason) => write!(f, "failed: {reason}"),
            Ending::Rejected(reason) => write!(f, "rejected it: {reason}"),
            Ending::Panicked(reason) => write!(f, "panicked: {reason}"),
            Ending::TimedOut => f.write_str("timed out"),
            Ending::Unmatched => f.write_str("not matched its channel"),
            Ending::Skipped => f.write_str("been skipped by a layer"),
        }
    }
}
