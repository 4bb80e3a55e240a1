use std::fmt::{self, Debug, Write as _};
use std::marker::PhantomData;

use super::super::broker::matches_glob;
use super::call::{Payload, reason};
use super::calls::{done, in_words};
use super::difference::{difference, distance};
use crate::error::Rejection;
use crate::extract::FromPush;
use crate::message::PushMessage;
use crate::probe;
use crate::push::OwnedPush;
use crate::subscription::{Kind, Subscription};
use crate::util::{Escaped, short_name};

/// A message that was published by the application.
#[derive(Clone)]
pub(crate) struct Message {
    channel: Vec<u8>,
    prefix_len: usize,
    payload: Vec<u8>,
    is_shard: bool,
    problem: Option<String>,
    /// The handler that has published it.
    by: Option<String>,
}

impl Message {
    pub(crate) fn new(message: &probe::Published<'_>, by: Option<String>) -> Self {
        Self {
            channel: message.channel.to_vec(),
            prefix_len: message.prefix_len,
            payload: message.payload.to_vec(),
            is_shard: message.is_shard,
            problem: message.problem.map(str::to_owned),
            by,
        }
    }

    /// Returns the push that a handler of this type would receive without a prefix; `None` if the channel is
    /// not the type's.
    fn to_push_of<M: PushMessage>(&self) -> Option<OwnedPush> {
        let channel = &self.channel[self.prefix_len..];
        let subscriptions = M::SUBSCRIPTIONS.iter();
        let mut pushes = subscriptions
            .filter(|one| (one.kind() == Kind::Shard) == self.is_shard)
            .filter(|one| carries(one, channel))
            .map(|one| OwnedPush::new(one.clone(), channel, &self.payload));
        pushes.find(|push| push.as_push().is_of_template())
    }
}

/// Returns whether the server sends what is published on a channel through a subscription.
pub(crate) fn carries(subscription: &Subscription, channel: &[u8]) -> bool {
    let name = subscription.name().as_bytes();
    match subscription.kind() {
        Kind::Pattern => matches_glob(name, channel),
        Kind::Invalidation => channel.starts_with(name),
        _ => name == channel,
    }
}

impl Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` {}, published by {}",
            Escaped(&self.channel),
            Payload(&self.payload),
            self.by.as_deref().unwrap_or("a task that is no handler's")
        )?;
        match &self.problem {
            Some(problem) => write!(f, ": {problem}"),
            None => Ok(()),
        }
    }
}

/// The messages of one type that the application has published: what
/// [`TestKit::published`](super::TestKit::published) returns.
///
/// A message belongs to the type if its channel is one of the type's. The methods that assert something
/// panic with the handlers that have published.
#[derive(Debug)]
pub struct Published<M> {
    /// The messages of the type.
    messages: Vec<Message>,
    /// What goes into the message of a failed assertion.
    context: String,
    of: PhantomData<fn() -> M>,
}

impl<M> Published<M>
where
    M: PushMessage + for<'p> FromPush<'p, ()>,
{
    /// Picks the messages of the type out of all.
    pub(super) fn of(mut messages: Vec<Message>, context: String) -> Self {
        messages.retain(|message| message.to_push_of::<M>().is_some());
        Self {
            messages,
            context,
            of: PhantomData,
        }
    }

    /// Asserts how many there were. Those that the server has not accepted count too.
    ///
    /// # Panics
    ///
    /// Panics if there were more or fewer.
    #[track_caller]
    pub fn times(&self, times: usize) -> &Self {
        let count = self.messages.len();
        assert!(
            count == times,
            "{} was {} {}, expected {}{}",
            self.label(),
            done("published", count),
            self.context,
            in_words(times),
            self.list()
        );
        self
    }

    /// Asserts that there was one.
    ///
    /// # Panics
    ///
    /// Panics if there was none, or several.
    #[track_caller]
    pub fn assert_once(&self) -> &Self {
        self.times(1)
    }

    /// Asserts that there was none.
    ///
    /// # Panics
    ///
    /// Panics if there was one.
    #[track_caller]
    pub fn assert_never(&self) {
        self.times(0);
    }

    /// Asserts that one of them is equal to this value.
    ///
    /// # Panics
    ///
    /// Panics if none is. The message shows the nearest difference.
    #[track_caller]
    pub fn with(&self, expected: &M) -> &Self
    where
        M: PartialEq + Debug,
    {
        let decoded = self.decoded();
        if decoded.contains(expected) {
            return self;
        }
        let nearest = (decoded.iter()).min_by_key(|message| distance(expected, *message));
        match nearest {
            Some(nearest) => panic!(
                "{} was not published as expected {}; the nearest one:\n{}{}",
                self.label(),
                self.context,
                difference(expected, nearest),
                self.list()
            ),
            None => panic!(
                "{} was never published {}, expected {expected:?}",
                self.label(),
                self.context
            ),
        }
    }

    /// Asserts that one of them fulfils a condition.
    ///
    /// # Panics
    ///
    /// Panics if none does.
    #[track_caller]
    pub fn matching(&self, condition: impl Fn(&M) -> bool) -> &Self {
        assert!(
            self.decoded().iter().any(condition),
            "no {} that was published {} fulfils the condition{}",
            self.label(),
            self.context,
            self.list()
        );
        self
    }

    /// Asserts that all of them were published by this handler.
    ///
    /// The handler is known by its task: what a task publishes that a handler has spawned is published by
    /// no handler.
    ///
    /// # Panics
    ///
    /// Panics if one was not.
    #[track_caller]
    pub fn by(&self, handler: &str) -> &Self {
        let is_of_handler = |message: &Message| {
            let start = format!("`{handler}`");
            message
                .by
                .as_deref()
                .is_some_and(|by| by.starts_with(&start))
        };
        assert!(
            self.messages.iter().all(is_of_handler),
            "{} was published by another than `{handler}` {}{}",
            self.label(),
            self.context,
            self.list()
        );
        self
    }

    /// Returns the messages, decoded.
    ///
    /// # Panics
    ///
    /// Panics if one does not decode.
    #[track_caller]
    #[must_use]
    pub fn all(&self) -> Vec<M> {
        self.decoded()
    }

    #[track_caller]
    fn decoded(&self) -> Vec<M> {
        let each = self.messages.iter().map(|message| match decode(message) {
            Ok(value) => value,
            Err(rejection) => panic!(
                "{} was published with a payload that does not decode: {}\n    {message:?}",
                self.label(),
                reason(&rejection)
            ),
        });
        each.collect()
    }

    fn label(&self) -> String {
        format!("`{}`", short_name(std::any::type_name::<M>()))
    }

    fn list(&self) -> String {
        let mut text = String::new();
        for (index, message) in self.messages.iter().enumerate() {
            let _ = write!(text, "\n    {}. {message:?}", index + 1);
        }
        text
    }
}

fn decode<M>(message: &Message) -> Result<M, Rejection>
where
    M: PushMessage + for<'p> FromPush<'p, ()>,
{
    match message.to_push_of::<M>() {
        Some(push) => M::from_push(push.as_push(), &()),
        None => Err(Rejection::unmatched("its channel is not the type's")),
    }
}
