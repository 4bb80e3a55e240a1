use super::command::{Outgoing, Publishable};
use crate::error::{BoxError, Result};
use crate::push::Push;

/// An answer: a handler that returns it publishes the message, on the channel of its type.
///
/// A handler may return `Publish<T>`, `Option<Publish<T>>`, and a `Result` of either.
///
/// ```
/// use redis_push::{Mount, Publish, PushMessage, handlers, push_handler};
///
/// #[derive(PushMessage)]
/// #[push(channel = "orders.{id}")]
/// struct Order {
///     id: u64,
///     total: f64,
/// }
///
/// #[derive(PushMessage)]
/// #[push(channel = "receipts.{id}")]
/// struct Receipt {
///     id: u64,
///     paid: f64,
/// }
///
/// #[push_handler]
/// async fn on_order(order: Order) -> Publish<Receipt> {
///     Publish(Receipt { id: order.id, paid: order.total })
/// }
///
/// let mounts: Vec<Mount<()>> = handlers![on_order];
/// ```
///
/// The delivery ends when the server has taken the answer, so the answers of one handler go out in
/// order, one round trip each; `workers = n` lets n be under way at once. An answer that cannot be
/// published is an error of the handler, counted `failed`; it is not tried again. Answers go over
/// the subscriber's [publisher](crate::Subscriber::publisher).
///
/// A handler whose answers it hears itself, by its own subscription, goes on for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "an answer is published by being returned from a handler"]
pub struct Publish<T>(pub T);

/// What a delivery is answered with: nothing, or a message that is ready to be published.
///
/// [`IntoAnswer`](crate::IntoAnswer) makes it of what a handler returns.
#[derive(Debug, Default)]
#[must_use = "an answer is published by being returned from a handler"]
pub struct Answer(Option<Box<Outgoing>>);

impl Answer {
    /// Nothing to publish.
    pub const fn none() -> Self {
        Self(None)
    }

    /// A message to publish.
    ///
    /// # Errors
    ///
    /// When it cannot be written ([`Error::is_encode`](crate::Error::is_encode)).
    pub fn of<M: Publishable>(message: &M) -> Result<Self> {
        Outgoing::of(message).map(|outgoing| Self(Some(Box::new(outgoing))))
    }

    /// Publishes it, by the push's publisher.
    pub(crate) async fn send(self, push: Push<'_>) -> Result<(), BoxError> {
        let Some(outgoing) = self.0 else {
            return Ok(());
        };
        let publisher = push.publisher();
        let publisher = publisher.ok_or("there is no publisher for the answer here")?;
        publisher.send(*outgoing).await?;
        Ok(())
    }
}
