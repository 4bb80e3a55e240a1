use super::command::{Outgoing, Publishable};
use crate::error::{BoxError, Result};
use crate::push::Push;

/// An answer: when a handler returns it, the message is published on the channel of its type.
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
/// The delivery ends when the server has accepted the answer, so the answers of one handler are
/// published in order, one round trip each; with `workers = n`, up to n are in progress at once. An
/// answer that cannot be published is an error of the handler, counted `failed`, and is not retried.
/// Answers are sent through the subscriber's [publisher](crate::Subscriber::publisher).
///
/// A handler that receives its own answers, through its own subscription, loops forever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "an answer is published by being returned from a handler"]
pub struct Publish<T>(pub T);

/// The answer to a delivery: nothing, or a message that is ready to be published.
///
/// [`IntoAnswer`](crate::IntoAnswer) converts the return value of a handler into it.
#[derive(Debug, Default)]
#[must_use = "an answer is published by being returned from a handler"]
pub struct Answer(Option<Box<Answered>>);

/// A message, and what its type calls its channels.
#[derive(Debug)]
struct Answered {
    message: Outgoing,
    template: fn() -> String,
}

impl Answer {
    /// Creates an answer that publishes nothing.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Creates an answer that publishes a message.
    ///
    /// # Errors
    ///
    /// Returns an error if the message cannot be encoded
    /// ([`Error::is_encode`](crate::Error::is_encode)).
    pub fn of<M: Publishable>(message: &M) -> Result<Self> {
        Outgoing::of(message).map(|message| {
            let template = M::template;
            Self(Some(Box::new(Answered { message, template })))
        })
    }

    /// Publishes the answer with the push's publisher.
    pub(crate) async fn send(self, push: Push<'_>) -> Result<(), BoxError> {
        let Some(answered) = self.0 else {
            return Ok(());
        };
        let Answered { message, template } = *answered;
        let publisher = push
            .publisher()
            .ok_or("the push has no publisher for the answer: set one with `with_publisher`")?;
        let context = publisher.answering(push, template);
        // Boxed, so that the future of an idle handler has no room for it.
        Box::pin(publisher.send(message, context)).await?;
        Ok(())
    }
}
