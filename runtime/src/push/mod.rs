//! Pushes, in the forms they have on their way from the link to a handler.
//!
//! | type | form |
//! | --- | --- |
//! | [`Incoming`] | borrowed from the read buffer: what the link passes to `dispatch` |
//! | [`Page`] | many, copied into one buffer |
//! | [`Batch`] | a page that does not change any more: what `broadcast` stores and `delivery` reads |
//! | [`Decoded`] | values of the pushes in a batch, which its readers share |
//! | [`Push`] | a view of one push in a batch: what extractors and handlers see |
//! | [`OwnedPush`] | a push with a batch of its own: for tests, failures and keeping |
//! | [`RawPush`] | an owned copy of any kind of push: what `Handle::pushes` yields |
//!
//! A [`Generation`] says from which connection to which node a push comes.
//!
//! [`ConnectionEvent`] is the only message that does not come from the server: `session` creates
//! it, and it takes the same path as a payload from `dispatch` on. [`Extensions`] carries values of
//! other modules along with a delivery, such as the publisher.
//!
//! # Invariants
//!
//! - A payload is copied once, into its batch, however many handlers read it. Extractors borrow
//!   from there.
//! - The batch stores the index of the subscription, not its name, and the channel only if the
//!   subscription's name does not determine it.
//! - The `Debug` output of a public type never shows a payload, because payloads are the user's
//!   data.
//! - This module does not know who publishes, dispatches or delivers.

mod batch;
mod connection_event;
mod decoded;
mod extensions;
mod generation;
mod page;
mod raw;

pub(crate) use batch::Batch;
pub use connection_event::ConnectionEvent;
pub(crate) use decoded::Decoded;
pub(crate) use extensions::Extensions;
pub(crate) use generation::{Generation, NodeId};
pub(crate) use page::Page;
pub(crate) use raw::Incoming;
pub use raw::RawPush;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::Rejection;
use crate::subscription::{Kind, Subscription, Template};
use crate::util::Escaped;

/// One pushed message, as extractors see it.
///
/// It is a view of the batch that the message arrived in. Copying it is cheap, and what an
/// extractor borrows from it lives as long as the delivery (`'p`).
#[derive(Clone, Copy)]
pub struct Push<'p> {
    batch: &'p Arc<Batch>,
    /// The index in the batch, and [`KEPT`].
    index: usize,
    subscriptions: &'p [Subscription],
    /// The extensions of the handler.
    handler: Option<&'p Extensions>,
    /// The extensions of this delivery alone. They take precedence over those of the handler.
    delivery: Option<&'p Extensions>,
}

/// Set in the index of a push if the value that is decoded from it is kept in the batch. A field of its own
/// would be copied each time a push is passed on.
const KEPT: usize = 1 << (usize::BITS - 1);

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

    /// Sets the extensions of the handler that receives the push.
    #[inline]
    pub(crate) fn to_handler(self, extensions: &'p Extensions) -> Self {
        Self {
            handler: Some(extensions),
            ..self
        }
    }

    /// Sets the extensions of this delivery alone.
    #[inline]
    pub(crate) fn with_extensions(self, extensions: &'p Extensions) -> Self {
        Self {
            delivery: Some(extensions),
            ..self
        }
    }

    /// Returns the payload as the publisher sent it.
    #[must_use]
    #[inline]
    pub fn payload(self) -> &'p [u8] {
        &self.batch.bytes()[self.batch.payload(self.index())]
    }

    #[inline]
    fn index(self) -> usize {
        self.index & !KEPT
    }

    /// Returns the payload as `Bytes` that may outlive the delivery.
    ///
    /// It shares the buffer of the batch. A payload that is smaller than a quarter of that buffer
    /// is copied instead, so that keeping one small value does not keep a large buffer. So is the payload
    /// of a message that is [shared](crate::Subscribe::shared): once for all of its readers.
    #[must_use]
    pub fn payload_bytes(self) -> Bytes {
        let range = self.batch.payload(self.index());
        // A value in the batch that keeps the batch would never be dropped.
        if self.index & KEPT != 0 || range.len() < self.batch.capacity() / 4 {
            return Bytes::copy_from_slice(self.payload());
        }
        Bytes::from_owner(SharedBuffer(Arc::clone(self.batch))).slice(range)
    }

    /// Returns the channel that the message was published on. Redis names are bytes; most of them,
    /// but not all, are UTF-8.
    ///
    /// For an invalidation this is the key, or empty if it concerns all keys. For a connection
    /// event it is empty.
    #[must_use]
    #[inline]
    pub fn channel(self) -> &'p [u8] {
        match self.subscription().kind() {
            Kind::Pattern | Kind::Invalidation => self.batch.channel(self.index()),
            Kind::Channel | Kind::Shard | Kind::Connection => self.subscription().name().as_bytes(),
        }
    }

    /// Returns the channel as text.
    ///
    /// # Errors
    ///
    /// Returns an error if the name is not UTF-8.
    pub fn channel_str(self) -> Result<&'p str, Rejection> {
        std::str::from_utf8(self.channel())
            .map_err(|error| Rejection::caused_by("the channel name is not UTF-8", error))
    }

    /// Returns the text of a template param in the channel's name, or `None` if there is no such
    /// param.
    ///
    /// For a subscription to `quotes.{symbol}` and a message on `quotes.ACME`, the param `symbol`
    /// is `ACME`.
    #[must_use]
    pub fn param(self, name: &str) -> Option<&'p str> {
        let channel = std::str::from_utf8(self.channel()).ok()?;
        let [text] = self.subscription().params()?.capture(channel, [name])?;
        Some(text)
    }

    /// Returns whether the channel matches the subscription's template, if it has one. The glob
    /// that the server knows matches more channels than the template; an exact name is one of them.
    #[inline]
    pub(crate) fn is_of_template(self) -> bool {
        let subscription = self.subscription();
        match subscription.params() {
            Some(template) if subscription.is_pattern() => self.fits(template),
            _ => true,
        }
    }

    /// Whether a push through a pattern is of this template.
    fn fits(self, template: &Template) -> bool {
        template.matches(self.batch.channel(self.index()))
    }

    /// Returns a value that is decoded once for all readers of the batch. The push that is decoded has no
    /// extensions, because those are a handler's own.
    #[inline]
    pub(crate) fn decode_once<T: Send + Sync + 'static>(
        self,
        decode: impl FnOnce(Self) -> Result<T, Rejection>,
    ) -> Result<Arc<T>, Rejection> {
        // All readers of a message but the first go this way.
        let decoded = self.batch.decoded();
        let known = decoded.and_then(|decoded| decoded.known(self.subscription(), self.index()));
        known.unwrap_or_else(|| self.decode_first(decode))
    }

    /// Decodes, and keeps the value in the batch if it has several readers.
    #[inline(never)]
    fn decode_first<T: Send + Sync + 'static>(
        self,
        decode: impl FnOnce(Self) -> Result<T, Rejection>,
    ) -> Result<Arc<T>, Rejection> {
        let mut push = Self {
            handler: None,
            delivery: None,
            ..self
        };
        match self.batch.decoded() {
            Some(decoded) => {
                push.index |= KEPT;
                let (index, len) = (self.index(), self.batch.len());
                decoded.get(self.subscription(), index, len, || decode(push))
            }
            None => decode(push).map(Arc::new),
        }
    }

    /// Returns the subscription through which the message arrived: that of the handler, with its
    /// template.
    #[must_use]
    #[inline]
    pub fn subscription(self) -> &'p Subscription {
        &self.subscriptions[self.batch.subscription(self.index())]
    }

    /// Returns a value from the extensions of the delivery, or else from those of the handler.
    #[inline]
    pub(crate) fn extension<T: Any>(self) -> Option<&'p T> {
        let own = self.delivery.and_then(Extensions::get);
        own.or_else(|| self.handler.and_then(Extensions::get))
    }

    /// Returns how many bytes the batch of a [copy](Self::to_owned) holds.
    pub(crate) fn owned_bytes(self) -> usize {
        size_of::<Batch>() + self.channel().len() + self.payload().len() + Batch::ENTRY_BYTES
    }

    /// Copies the push out of its batch.
    #[must_use]
    pub fn to_owned(self) -> OwnedPush {
        OwnedPush::new(self.subscription().clone(), self.channel(), self.payload())
    }
}

impl fmt::Debug for Push<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Payloads are the user's data, so they are not logged.
        f.debug_struct("Push")
            .field("subscription", self.subscription())
            .field("channel", &Escaped(self.channel()))
            .field("payload_len", &self.payload().len())
            .finish()
    }
}

/// A push that owns its bytes: for unit tests of extractors, and for keeping a push.
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
    /// Creates a push as if `payload` had been published on `channel` and had arrived through
    /// `subscription`.
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

    /// Adds a value, as a [layer](crate::Delivery::with) passes one on: for unit tests of a handler that
    /// takes an [`Extension`](crate::Extension).
    #[must_use]
    pub fn with_extension<T: Any + Send + Sync>(mut self, value: T) -> Self {
        self.extensions = self.extensions.with(value);
        self
    }

    /// Returns the view that extractors take.
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

/// The buffer of a batch, as the owner of a `Bytes`.
struct SharedBuffer(Arc<Batch>);

impl AsRef<[u8]> for SharedBuffer {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}
