mod batch;
mod connection_event;
mod extensions;
mod raw;

pub(crate) use batch::Batch;
pub use connection_event::ConnectionEvent;
pub(crate) use extensions::Extensions;
pub(crate) use raw::Incoming;
pub use raw::RawPush;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::Rejection;
use crate::subscription::{Kind, Subscription, Template};
use crate::util::Escaped;

/// One pushed message, as a handler's arguments see it.
///
/// A view into the batch it arrived in: copying it costs nothing, and what an extractor borrows
/// from it lives as long as the delivery (`'p`).
#[derive(Clone, Copy)]
pub struct Push<'p> {
    batch: &'p Arc<Batch>,
    index: usize,
    subscriptions: &'p [Subscription],
    /// The extensions of the handler.
    handler: Option<&'p Extensions>,
    /// Those of this delivery alone, which come first; absent unless something sets them.
    delivery: Option<&'p Extensions>,
}

impl<'p> Push<'p> {
    #[inline]
    pub(crate) fn new(
        batch: &'p Arc<Batch>,
        index: usize,
        subscriptions: &'p [Subscription],
    ) -> Self {
        Self {
            batch,
            index,
            subscriptions,
            handler: None,
            delivery: None,
        }
    }

    /// The same with the extensions of the handler that it goes to.
    #[inline]
    pub(crate) fn to_handler(self, extensions: &'p Extensions) -> Self {
        Self {
            handler: Some(extensions),
            ..self
        }
    }

    /// The same with extensions of this delivery alone.
    #[inline]
    pub(crate) fn with_extensions(self, extensions: &'p Extensions) -> Self {
        Self {
            delivery: Some(extensions),
            ..self
        }
    }

    /// The payload, as the publisher sent it.
    #[must_use]
    #[inline]
    pub fn payload(self) -> &'p [u8] {
        &self.batch.bytes()[self.batch.payload(self.index)]
    }

    /// The payload as `Bytes` that may outlive the delivery.
    ///
    /// It shares the batch's buffer, unless it is less than a quarter of it: then it is copied, so
    /// that one small value that is kept does not hold a large buffer.
    #[must_use]
    pub fn payload_bytes(self) -> Bytes {
        let range = self.batch.payload(self.index);
        if range.len() < self.batch.bytes().len() / 4 {
            return Bytes::copy_from_slice(self.payload());
        }
        Bytes::from_owner(SharedBuffer(Arc::clone(self.batch))).slice(range)
    }

    /// The channel it was published on. Redis names are bytes; most, not all, are UTF-8.
    ///
    /// Of an invalidation it is the key, and empty where all keys are meant; of the connection it
    /// is empty.
    #[must_use]
    #[inline]
    pub fn channel(self) -> &'p [u8] {
        match self.subscription().kind() {
            Kind::Pattern | Kind::Invalidation => self.batch.channel(self.index),
            Kind::Channel | Kind::Shard | Kind::Connection => self.subscription().name().as_bytes(),
        }
    }

    /// The channel as text.
    ///
    /// # Errors
    ///
    /// When the name is not UTF-8.
    pub fn channel_str(self) -> Result<&'p str, Rejection> {
        std::str::from_utf8(self.channel())
            .map_err(|error| Rejection::caused_by("the channel name is not UTF-8", error))
    }

    /// The text that a param of the subscription's template takes in the channel's name: `ACME` for
    /// `symbol`, on `quotes.ACME` by `quotes.{symbol}`. `None` if there is no such param.
    #[must_use]
    pub fn param(self, name: &str) -> Option<&'p str> {
        let channel = std::str::from_utf8(self.channel()).ok()?;
        let [text] = self.subscription().params()?.capture(channel, [name])?;
        Some(text)
    }

    /// Whether the channel is of the subscription's template, where it has one: the glob that the
    /// server knows matches more.
    #[inline]
    pub(crate) fn is_of_template(self) -> bool {
        match self.subscription().params() {
            Some(template) => self.fits(template),
            None => true,
        }
    }

    fn fits(self, template: &Template) -> bool {
        let channel = std::str::from_utf8(self.channel());
        channel.is_ok_and(|channel| template.capture(channel, []).is_some())
    }

    /// The subscription by which it came: the handler's own, with its template.
    #[must_use]
    #[inline]
    pub fn subscription(self) -> &'p Subscription {
        &self.subscriptions[self.batch.subscription(self.index)]
    }

    /// A value that goes along with the delivery, or else with the handler.
    #[inline]
    pub(crate) fn extension<T: Any>(self) -> Option<&'p T> {
        let own = self.delivery.and_then(Extensions::get);
        own.or_else(|| self.handler.and_then(Extensions::get))
    }

    /// Copies the push out of its batch.
    #[must_use]
    pub fn to_owned(self) -> OwnedPush {
        OwnedPush::new(self.subscription().clone(), self.channel(), self.payload())
    }
}

impl fmt::Debug for Push<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Payloads are the user's data: they stay out of logs.
        f.debug_struct("Push")
            .field("subscription", self.subscription())
            .field("channel", &Escaped(self.channel()))
            .field("payload_len", &self.payload().len())
            .finish()
    }
}

/// A push that owns its bytes: for unit tests of extractors, and for keeping one.
///
/// ```
/// use redis_push::{FromPush, Json, OwnedPush, Subscription};
///
/// let push = OwnedPush::new(Subscription::channel("numbers"), "numbers", "[1, 2]");
/// let Json(numbers) = Json::<Vec<u8>>::from_push(push.as_push(), &())?;
/// assert_eq!(numbers, [1, 2]);
/// # Ok::<(), redis_push::Rejection>(())
/// ```
#[derive(Clone)]
pub struct OwnedPush {
    batch: Arc<Batch>,
    subscription: Subscription,
    extensions: Extensions,
}

impl OwnedPush {
    /// Builds a push as if `payload` had been published on `channel` and had come by `subscription`.
    pub fn new(
        subscription: Subscription,
        channel: impl AsRef<[u8]>,
        payload: impl AsRef<[u8]>,
    ) -> Self {
        let mut batch = Batch::new();
        batch.append(0, channel.as_ref(), payload.as_ref());
        Self {
            batch: Arc::new(batch),
            subscription,
            extensions: Extensions::default(),
        }
    }

    /// Adds a value to the extensions of the delivery.
    pub(crate) fn with_extension<T: Any + Send + Sync>(mut self, value: T) -> Self {
        self.extensions = self.extensions.with(value);
        self
    }

    /// The view that extractors take.
    #[must_use]
    pub fn as_push(&self) -> Push<'_> {
        Push::new(&self.batch, 0, std::slice::from_ref(&self.subscription))
            .with_extensions(&self.extensions)
    }
}

impl fmt::Debug for OwnedPush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_push().fmt(f)
    }
}

struct SharedBuffer(Arc<Batch>);

impl AsRef<[u8]> for SharedBuffer {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}
