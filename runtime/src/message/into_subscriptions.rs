use std::borrow::Cow;
use std::sync::Arc;

use super::{Address, TypeName};
use crate::error::{Error, Result};
use crate::subscription::Subscription;

/// What a handler can be mounted on, by [`Mount::on`](crate::Mount::on): a [`Subscription`], or the
/// [`Address`] of a message type.
#[diagnostic::on_unimplemented(
    message = "a handler cannot be mounted on a `{Self}`",
    label = "expected a `Subscription`, or an address such as `Quote::at(..)`",
    note = "the subscription to a channel is `Subscription::channel(name)`"
)]
pub trait IntoSubscriptions: sealed::IntoSubscribed {}

impl IntoSubscriptions for Subscription {}
impl<M> IntoSubscriptions for Address<M> {}

/// Subscriptions, and the message type that they carry.
#[derive(Debug)]
pub struct Subscribed {
    pub(crate) subscriptions: Result<Cow<'static, [Subscription]>, Arc<Error>>,
    /// The name of the type, if it is known.
    pub(crate) type_name: Option<TypeName>,
}

mod sealed {
    use super::*;

    pub trait IntoSubscribed {
        fn into_subscribed(self) -> Subscribed;
    }

    impl IntoSubscribed for Subscription {
        fn into_subscribed(self) -> Subscribed {
            Subscribed {
                subscriptions: Ok(vec![self].into()),
                type_name: None,
            }
        }
    }

    impl<M> IntoSubscribed for Address<M> {
        fn into_subscribed(self) -> Subscribed {
            Subscribed {
                subscriptions: self.subscriptions,
                type_name: Some(std::any::type_name::<M>),
            }
        }
    }
}
