use std::borrow::Cow;
use std::time::Duration;

use crate::broadcast::{Budget, Overflow};
use crate::message::{MessageDescriptor, Source};
use crate::subscription::Subscription;

/// A handler's name, subscriptions and policies.
#[derive(Clone, Debug)]
pub struct Spec {
    pub(crate) name: Cow<'static, str>,
    pub(crate) place: Option<(&'static str, u32)>,
    pub(crate) message: Option<MessageType>,
    pub(crate) on_gap: Option<Cow<'static, str>>,
    pub(crate) subscriptions: Vec<Subscription>,
    pub(crate) budget: Budget,
    pub(crate) timeout: Option<Duration>,
    pub(crate) workers: usize,
    pub(crate) ordered_by: Option<Cow<'static, str>>,
    /// How long it may take to come back before that is told.
    pub(crate) stall_limit: Duration,
    /// Whether the subscriber is not ready while it is stalled.
    pub(crate) required: bool,
}

/// The message that a handler takes.
#[derive(Clone, Debug)]
pub(crate) struct MessageType {
    /// As it is written in the handler's signature.
    pub(crate) written: Cow<'static, str>,
    pub(crate) codec: Cow<'static, str>,
    /// The whole name of a type that names its channel.
    pub(crate) whole_name: Option<fn() -> &'static str>,
    /// What that type itself listens to: its params are filled from there.
    pub(crate) subscriptions: &'static [Subscription],
    /// Where it is taken from; `None` where only the handler itself knows.
    pub(crate) source: Option<Source>,
}

impl MessageType {
    pub(crate) const fn of(message: &MessageDescriptor, written: &'static str) -> Self {
        Self {
            written: Cow::Borrowed(written),
            codec: Cow::Borrowed(message.codec),
            whole_name: message.type_name,
            subscriptions: message.subscriptions,
            source: Some(message.source),
        }
    }
}

impl Spec {
    /// Names a handler; the name is its label in stats and logs.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            place: None,
            message: None,
            on_gap: None,
            subscriptions: Vec::new(),
            budget: Budget::default(),
            timeout: None,
            workers: 1,
            ordered_by: None,
            stall_limit: Duration::from_secs(30),
            required: false,
        }
    }

    /// Says where the handler is written, for errors that are about two handlers.
    #[must_use]
    pub fn at(mut self, file: &'static str, line: u32) -> Self {
        self.place = Some((file, line));
        self
    }

    /// Says what the handler takes as its message, and how that is read (`json`, `text`, `bytes` or
    /// a word of your own): for the [wiring](crate::Wiring) and the log, and for nothing else.
    ///
    /// ```
    /// use redis_push::{Spec, Subscription};
    ///
    /// let spec = Spec::new("on_order")
    ///     .takes("Order", "json")
    ///     .on(Subscription::channel("orders"));
    /// ```
    #[must_use]
    pub fn takes(
        self,
        message: impl Into<Cow<'static, str>>,
        codec: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.with_message(Some(MessageType {
            written: message.into(),
            codec: codec.into(),
            source: None,
            ..MessageType::of(&MessageDescriptor::PAYLOAD, "")
        }))
    }

    /// Says the same of what the macros have found.
    pub(crate) fn with_message(mut self, message: Option<MessageType>) -> Self {
        self.message = message;
        self
    }

    /// Names what is told of gaps, for the [wiring](crate::Wiring). Telling it is up to
    /// [`Handler::handle_gap`](crate::Handler::handle_gap).
    #[must_use]
    pub fn on_gap(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.on_gap = Some(name.into());
        self
    }

    /// The name, and where it is written, for errors.
    pub(crate) fn label(&self) -> String {
        match self.place {
            Some((file, line)) => format!("`{}` ({file}:{line})", self.name),
            None => format!("`{}`", self.name),
        }
    }

    /// Adds a subscription. One that is there already, by kind and name, stays as it is.
    #[must_use]
    pub fn on(mut self, subscription: Subscription) -> Self {
        let mut there = self.subscriptions.iter();
        if !there.any(|other| other.key() == subscription.key()) {
            self.subscriptions.push(subscription);
        }
        self
    }

    /// Adds each of these subscriptions, as [`on`](Self::on).
    #[must_use]
    pub fn on_all(self, subscriptions: &[Subscription]) -> Self {
        subscriptions.iter().cloned().fold(self, Self::on)
    }

    /// Sets how many messages may wait for the handler (default 65,536; at least one always may).
    #[must_use]
    pub fn buffer(mut self, messages: usize) -> Self {
        self.budget.messages = messages;
        self
    }

    /// Sets how many bytes of messages may wait for the handler (default 8 MiB; one push always
    /// may, however large).
    #[must_use]
    pub fn buffer_bytes(mut self, bytes: usize) -> Self {
        self.budget.bytes = bytes;
        self
    }

    /// Sets what goes when the buffer is full (default [`Overflow::DropOldest`]).
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.budget.overflow = overflow;
        self
    }

    /// Sets how long one delivery may take (default: as long as it takes).
    ///
    /// Then the handler's future is dropped where it awaits, and the delivery is counted
    /// `timed_out`. A handler that does not await cannot be interrupted. The gap handler has no
    /// timeout.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets how many deliveries may run at once, each on a task of its own (default 1; 0 is taken
    /// as 1).
    ///
    /// With more than one, messages are no longer handled in order, unless
    /// [`ordered_by`](Self::ordered_by) says which are. A gap is told when every delivery before
    /// it has ended, and none begins before it is told.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// Keeps the order of messages that have the same key, among several
    /// [`workers`](Self::workers).
    ///
    /// The key is the param of that name in the channel's name, or else the field of that name at
    /// the top of a JSON payload, by the name it has there. Messages that have neither are one key.
    #[must_use]
    pub fn ordered_by(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        self.ordered_by = Some(key.into());
        self
    }

    /// Sets for how long one delivery, or one run of the gap handler, may go on before the handler
    /// counts as stalled (default 30 seconds; `Duration::MAX` for never).
    ///
    /// A stalled handler is named in the log and in [`Health`](crate::Health), and so is its
    /// return. It goes on as it is. It is looked at four times in this span, at the most every 10
    /// milliseconds and at the least every second.
    #[must_use]
    pub fn stall_limit(mut self, limit: Duration) -> Self {
        self.stall_limit = limit;
        self
    }

    /// Lets the subscriber be [ready](crate::Health::is_ready) only while this handler is not
    /// stalled.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }
}
