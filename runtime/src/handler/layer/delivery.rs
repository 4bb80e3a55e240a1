use std::any::Any;
use std::fmt;

use super::scope::Scope;
use crate::gap::Gap;
use crate::push::{Extensions, Push};

/// What is delivered, as a [`Layer`](crate::Layer) sees it: a message or a gap.
///
/// ```
/// use redis_push::{Delivery, Next, Outcome};
///
/// /// Delivers the messages of one region only.
/// async fn eu_only(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
///     match delivery.push() {
///         Some(push) if push.param("region") != Some("eu") => Outcome::skipped(),
///         _ => next.run(delivery).await,
///     }
/// }
/// ```
///
/// Copying it is cheap. What is borrowed from it lives as long as the delivery (`'d`).
#[derive(Clone, Copy)]
pub struct Delivery<'d> {
    subject: Subject<'d>,
    scope: &'d Scope<'d>,
    /// The values that are passed on.
    values: Option<&'d Extensions>,
}

#[derive(Clone, Copy)]
enum Subject<'d> {
    Message(Push<'d>),
    Gap(&'d Gap),
}

impl<'d> Delivery<'d> {
    pub(crate) fn of_message(push: Push<'d>, scope: &'d Scope<'d>) -> Self {
        Self {
            subject: Subject::Message(push),
            scope,
            values: None,
        }
    }

    pub(crate) fn of_gap(gap: &'d Gap, scope: &'d Scope<'d>) -> Self {
        Self {
            subject: Subject::Gap(gap),
            scope,
            values: None,
        }
    }

    /// Returns the name of the handler.
    #[must_use]
    pub fn handler(self) -> &'d str {
        self.scope.handler
    }

    /// Returns the push; `None` for a gap.
    #[must_use]
    pub fn push(self) -> Option<Push<'d>> {
        match self.subject {
            Subject::Message(push) => Some(match self.values {
                Some(values) => push.with_extensions(values),
                None => push,
            }),
            Subject::Gap(_) => None,
        }
    }

    /// Returns the gap; `None` for a message.
    #[must_use]
    pub fn gap(self) -> Option<&'d Gap> {
        match self.subject {
            Subject::Message(_) => None,
            Subject::Gap(gap) => Some(gap),
        }
    }

    /// Returns whether this is a gap.
    #[must_use]
    pub fn is_gap(self) -> bool {
        self.gap().is_some()
    }

    /// Returns the text of a param in the channel's name, as [`Push::param`] does. `None` if there is no
    /// such param, and for a gap.
    #[must_use]
    pub fn param(self, name: &str) -> Option<&'d str> {
        self.push()?.param(name)
    }

    /// Returns a delivery that passes a value on, to the layers further in and to the arguments of the
    /// handler: [`Extension`](crate::Extension). It replaces a value of the same type.
    ///
    /// ```
    /// use redis_push::{Delivery, Extension, Next, Outcome, push_handler};
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// #[derive(Clone, Copy)]
    /// struct RequestId(u64);
    ///
    /// async fn numbered(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
    ///     static LAST: AtomicU64 = AtomicU64::new(0);
    ///     let id = RequestId(LAST.fetch_add(1, Ordering::Relaxed));
    ///     next.run(delivery.with(id)).await
    /// }
    ///
    /// #[push_handler(channel = "orders")]
    /// async fn on_order(order: &str, Extension(RequestId(id)): Extension<RequestId>) {
    ///     println!("{id}: {order}");
    /// }
    /// # let _ = redis_push::handlers![on_order.around(numbered)] as Vec<redis_push::Mount<()>>;
    /// ```
    ///
    /// Values live until the delivery has ended. A [`Publisher`](crate::Publisher) that is passed on is
    /// the one that the handler takes and answers with. Gap handlers take no values.
    #[must_use]
    pub fn with<T: Any + Send + Sync>(self, value: T) -> Self {
        let values = self.values.cloned().unwrap_or_default().with(value);
        Self {
            values: Some(self.scope.values.keep(values)),
            ..self
        }
    }

    /// Returns the value of this type that a layer further out has passed on.
    #[must_use]
    pub fn get<T: Any>(self) -> Option<&'d T> {
        self.values?.get()
    }
}

impl fmt::Debug for Delivery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Delivery");
        debug.field("handler", &self.handler());
        match self.subject {
            Subject::Message(push) => debug.field("push", &push),
            Subject::Gap(gap) => debug.field("gap", gap),
        };
        debug.finish()
    }
}
