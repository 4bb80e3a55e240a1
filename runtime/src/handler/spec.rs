use std::borrow::Cow;
use std::time::Duration;

use super::layer::{Layer, Layers};
use super::{OnError, Retry};
use crate::broadcast::{Budget, Overflow};
use crate::message::{MessageDescriptor, Source, TypeName};
use crate::subscription::{Index, Subscription};

/// A handler's name, subscriptions and policies.
#[derive(Clone, Debug)]
pub struct Spec {
    pub(crate) name: Cow<'static, str>,
    pub(crate) place: Option<(&'static str, u32)>,
    pub(crate) message: Option<MessageType>,
    pub(crate) needs: Needs,
    pub(crate) on_gap: Option<Cow<'static, str>>,
    pub(crate) subscriptions: Vec<Subscription>,
    /// Whether names were given where the handler was mounted. They may come from the users of a service.
    pub(crate) has_given_names: bool,
    index: Index,
    pub(crate) budget: Budget,
    pub(crate) timeout: Option<Duration>,
    pub(crate) workers: usize,
    pub(crate) ordered_by: Option<Cow<'static, str>>,
    /// How long a call may run before it is reported as stalled.
    pub(crate) stall_limit: Duration,
    /// Whether the subscriber is not ready while this handler is stalled.
    pub(crate) required: bool,
    pub(crate) on_error: OnError,
    /// Boxed, because few handlers have one.
    pub(crate) retry: Option<Box<Retry>>,
    pub(crate) layers: Layers,
}

/// The message type that a handler takes.
#[derive(Clone, Debug)]
pub(crate) struct MessageType {
    /// The type as written in the handler's signature.
    pub(crate) written: Cow<'static, str>,
    pub(crate) codec: Cow<'static, str>,
    /// The full type name, if the type names its channel.
    pub(crate) whole_name: Option<TypeName>,
    /// The subscriptions that the type names. Its params are filled from their templates.
    pub(crate) subscriptions: &'static [Subscription],
    /// The fields that have other names in the payload than in the type, or several.
    pub(crate) names: &'static [(&'static str, &'static [&'static str])],
    /// The names of the params and of the payload's fields; empty if they are not known.
    pub(crate) fields: &'static [&'static str],
    /// Where the message comes from. `None` if only the handler itself knows.
    pub(crate) source: Option<Source>,
}

/// What the arguments of a handler need of its subscriptions, if the macros have found it out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Needs {
    /// The params that its arguments take by name.
    pub(crate) params: &'static [&'static str],
    /// Whether an argument is the matched pattern.
    pub(crate) pattern: bool,
    /// An argument that is read from the channel, as written.
    pub(crate) channel: Option<&'static str>,
}

impl MessageType {
    pub(crate) const fn of(message: &MessageDescriptor, written: &'static str) -> Self {
        Self {
            written: Cow::Borrowed(written),
            codec: Cow::Borrowed(message.codec),
            whole_name: message.type_name,
            subscriptions: message.subscriptions,
            names: message.names,
            fields: message.fields,
            source: Some(message.source),
        }
    }
}

impl Spec {
    /// Creates the spec of a handler. The name is its label in stats and logs.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            place: None,
            message: None,
            needs: Needs::default(),
            on_gap: None,
            subscriptions: Vec::new(),
            has_given_names: false,
            index: Index::default(),
            budget: Budget::default(),
            timeout: None,
            workers: 1,
            ordered_by: None,
            stall_limit: Duration::from_secs(30),
            required: false,
            on_error: OnError::Continue,
            retry: None,
            layers: Layers::default(),
        }
    }

    /// Sets where the handler is written, for errors that concern two handlers.
    #[must_use]
    pub fn at(mut self, file: &'static str, line: u32) -> Self {
        self.place = Some((file, line));
        self
    }

    /// Sets the type that the handler takes as its message, and the codec (`json`, `text`, `bytes`
    /// or a word of your own). Both are only shown in the [wiring](crate::Wiring) and the log.
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

    /// Sets the message type that the macros have found.
    pub(crate) fn with_message(mut self, message: Option<MessageType>) -> Self {
        self.message = message;
        self
    }

    /// Sets what the arguments need, as the macros have found.
    pub(crate) fn with_needs(mut self, needs: Needs) -> Self {
        self.needs = needs;
        self
    }

    /// Records the name of the gap handler, for the [wiring](crate::Wiring) and the
    /// [health](crate::Health): the subscriber is not ready while a gap is not handled. To call it is
    /// up to [`Handler::handle_gap`](crate::Handler::handle_gap).
    #[must_use]
    pub fn on_gap(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.on_gap = Some(name.into());
        self
    }

    /// Returns whether the health depends on whether the handler is synced.
    pub(crate) fn has_to_be_synced(&self) -> bool {
        self.on_gap.is_some() || self.required
    }

    /// Returns the name and the place of the handler, for errors.
    pub(crate) fn label(&self) -> String {
        match self.place {
            Some((file, line)) => format!("`{}` ({file}:{line})", self.name),
            None => format!("`{}`", self.name),
        }
    }

    /// Returns the templates that the handler listens to, or the names that the program has written. There
    /// are never more than the program has, so they can be the label of a metric.
    pub(crate) fn listens_to(&self) -> String {
        const MOST: usize = 4;
        let mut labels = Vec::new();
        for subscription in &self.subscriptions {
            let label = match subscription.params() {
                Some(template) => template.to_string(),
                None if self.has_given_names => format!("{} by name", subscription.kind()),
                None => subscription.name().to_owned(),
            };
            if !labels.contains(&label) {
                labels.push(label);
            }
            if labels.len() > MOST {
                labels[MOST] = "…".to_owned();
                break;
            }
        }
        labels.join(", ")
    }

    /// Adds a subscription. Does nothing if there is one with the same kind and name.
    #[must_use]
    pub fn on(mut self, subscription: Subscription) -> Self {
        if !self.index.has(&self.subscriptions, &subscription) {
            self.subscriptions.push(subscription);
        }
        self
    }

    /// Adds a prefix to every name. Names of one event, before which none can go, stay as they are.
    pub(crate) fn prefixed(self, prefix: &str) -> Self {
        let subscriptions = self.subscriptions.iter().cloned();
        let prefixed = subscriptions.map(|one| match one.is_of_one_event() {
            true => one,
            false => one.prefixed(prefix),
        });
        let prefixed = prefixed.collect();
        self.with_subscriptions(prefixed)
    }

    /// Replaces the subscriptions with others.
    pub(crate) fn with_subscriptions(mut self, subscriptions: Vec<Subscription>) -> Self {
        self.subscriptions = subscriptions;
        self.index = Index::default();
        self
    }

    /// Adds each of these subscriptions, as [`on`](Self::on) does.
    #[must_use]
    pub fn on_all(self, subscriptions: &[Subscription]) -> Self {
        subscriptions.iter().cloned().fold(self, Self::on)
    }

    /// Sets how many messages may wait for the handler (default 65,536; 0 counts as 1, because one
    /// may always wait).
    #[must_use]
    pub fn buffer(mut self, messages: usize) -> Self {
        self.budget.messages = messages.max(1);
        self
    }

    /// Sets how many bytes of messages may wait for the handler (default 8 MiB; 0 counts as 1, because
    /// one push may always wait, however large).
    #[must_use]
    pub fn buffer_bytes(mut self, bytes: usize) -> Self {
        self.budget.bytes = bytes.max(1);
        self
    }

    /// Sets which messages are dropped when the buffer is full (default [`Overflow::DropOldest`]).
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.budget.overflow = overflow;
        self
    }

    /// Sets how long one delivery may take (default: no limit).
    ///
    /// After that time the handler's future is dropped at the await where it is, and the delivery
    /// is counted `timed_out`. A handler that does not await cannot be interrupted. The gap handler
    /// has no timeout. With [`retry`](Self::retry), each attempt has this time.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets how many deliveries may run at once, each on a task of its own (default 1; 0 counts as
    /// 1, and more than 16,384 as 16,384).
    ///
    /// With more than one, messages are no longer handled in order, except those that
    /// [`ordered_by`](Self::ordered_by) keeps in order. A gap is reported when every delivery
    /// before it has ended, and the next delivery begins after that.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        const MOST: usize = 16_384;
        self.workers = workers.clamp(1, MOST);
        self
    }

    /// Keeps messages with the same key in order, with several [`workers`](Self::workers).
    ///
    /// The key is the param of that name in the channel's name, or else the top-level field of that
    /// name in a JSON payload, as the field is named there. A `#[derive(PushMessage)]` type adds the
    /// other names of the field (`#[serde(alias)]`); those of other types are not known. All messages
    /// without either, or with null, share one key.
    ///
    /// Keys are compared as values: `1`, `1.0` and `1e0` are one key, and so are `"a"` and `"\u0061"`.
    #[must_use]
    pub fn ordered_by(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        self.ordered_by = Some(key.into());
        self
    }

    /// Sets how long one delivery, or the handling of one gap with its retries, may take before the
    /// handler counts as stalled (default 30 seconds; `Duration::MAX` for never).
    ///
    /// A stalled handler is reported in the log and in [`Health`](crate::Health), and so is its
    /// return. It is not interrupted. It is checked four times within this limit, but not more
    /// often than every 10 milliseconds and not less often than every second.
    #[must_use]
    pub fn stall_limit(mut self, limit: Duration) -> Self {
        self.stall_limit = limit;
        self
    }

    /// Repeats a delivery that has failed or timed out, before the next one (default: never).
    ///
    /// The order of the messages is kept: the next one waits, also behind the delays. So does the next one
    /// of the same key, with [`ordered_by`](Self::ordered_by); other [`workers`](Self::workers) continue.
    /// Messages that arrive meanwhile wait in the buffer, which may overflow.
    ///
    /// A delivery counts once, with its last outcome, which is also the one that the log and the failure
    /// hook are told of. Repetitions count in [`HandlerStats::retries`](crate::HandlerStats::retries).
    ///
    /// - An error is repeated, unless it is a [`Fault::resync`](crate::Fault::resync), and so is a timeout:
    ///   each attempt has the whole [`timeout`](Self::timeout). A rejected argument and a panic are
    ///   not: they would happen again.
    /// - Each attempt runs the [layers](Self::around) and extracts the arguments again.
    /// - The [`stall_limit`](Self::stall_limit) is for the delivery with all its attempts and delays.
    /// - A pause, a gap and a resync wait for the delivery.
    /// - A shutdown waits for it too. At its deadline there is no further attempt: the delivery counts as
    ///   it ended last, or as `cancelled`.
    /// - The gap handler has its own repetitions, without end.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = (retry.times > 0).then(|| Box::new(retry));
        self
    }

    /// Sets what happens after a delivery that failed, panicked, timed out or was rejected (default
    /// [`OnError::Continue`]).
    ///
    /// [`OnError::Resync`] is for a handler that keeps data up to date from its messages: the data lacks
    /// one now. The delivery still counts as what it was. Until the gap handler has succeeded, no message is
    /// delivered and the subscriber is not [ready](crate::Health::is_ready). Each such delivery is one run, so
    /// a flood of bad messages is a flood of runs. A handler without a gap handler is refused at start. With
    /// [`retry`](Self::retry), the last attempt decides.
    #[must_use]
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }

    /// Puts a [`Layer`] around each delivery, inside of those before it.
    #[must_use]
    pub fn around(mut self, layer: impl Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// Makes readiness depend on this handler: while it is stalled, the subscriber is not
    /// [ready](crate::Health::is_ready).
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }
}
