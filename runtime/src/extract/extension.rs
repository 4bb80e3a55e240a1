use std::any::type_name;

use super::FromPush;
use crate::error::Rejection;
use crate::push::Push;
use crate::util::short_name;

/// A value that a [`Layer`](crate::Layer) has passed on with [`Delivery::with`](crate::Delivery::with),
/// cloned for the handler.
///
/// ```
/// use redis_push::{Delivery, Extension, Next, Outcome, push_handler};
/// use std::sync::Arc;
///
/// struct Tenant(String);
///
/// async fn by_tenant(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
///     let Some(name) = delivery.param("tenant") else {
///         return next.run(delivery).await; // a gap
///     };
///     next.run(delivery.with(Arc::new(Tenant(name.to_owned())))).await
/// }
///
/// #[push_handler(channel = "orders.{tenant}")]
/// async fn on_order(order: &str, Extension(tenant): Extension<Arc<Tenant>>) {
///     println!("{}: {order}", tenant.0);
/// }
/// # let _ = redis_push::handlers![on_order.around(by_tenant)] as Vec<redis_push::Mount<()>>;
/// ```
///
/// Without such a value the delivery is rejected. In a handler that may be mounted without the layer, take
/// `Option<Extension<T>>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Extension<T>(pub T);

impl<'p, S, T: Clone + Send + Sync + 'static> FromPush<'p, S> for Extension<T> {
    fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        match push.extension::<T>() {
            Some(value) => Ok(Self(value.clone())),
            None => Err(Rejection::new(format!(
                "no layer has passed on a `{}`: a layer does so with `delivery.with(value)`",
                short_name(type_name::<T>())
            ))),
        }
    }
}
