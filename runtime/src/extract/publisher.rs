use super::FromPush;
use crate::error::Rejection;
use crate::publish::Publisher;
use crate::push::Push;

/// The publisher of the subscriber's handlers: see
/// [`Subscriber::publisher`](crate::Subscriber::publisher).
///
/// ```
/// use redis_push::{Publisher, Text, push_handler};
///
/// #[push_handler(channel = "orders")]
/// async fn on_order(order: &str, publisher: Publisher) -> redis_push::Result<()> {
///     for copy in ["orders.eu", "orders.us"] {
///         publisher.publish_to(copy, order).await?;
///     }
///     Ok(())
/// }
/// # let _ = redis_push::handlers![on_order] as Vec<redis_push::Mount<()>>;
/// ```
impl<'p, S> FromPush<'p, S> for Publisher {
    fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        let publisher = push.publisher().cloned();
        publisher.ok_or_else(|| {
            Rejection::new("the push has no publisher: set one with `with_publisher`")
        })
    }
}
