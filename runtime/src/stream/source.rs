use crate::error::Result;
use crate::message::Address;
use crate::subscription::Subscription;
use bytes::Bytes;

/// What a stream can listen to: a [`Subscription`], whose messages are [`Bytes`], or the address of a
/// message type, such as `Quote::at("EURUSD")`.
#[diagnostic::on_unimplemented(
    message = "a stream cannot listen to `{Self}`",
    label = "not an address",
    note = "pass the address of a message type, such as `Quote::at(\"EURUSD\")`, or a `Subscription`"
)]
pub trait Subscribable: sealed::Sealed {
    /// What the messages are decoded as.
    type Message;

    #[doc(hidden)]
    fn into_source(self) -> Result<sealed::Source>;
}

impl sealed::Sealed for Subscription {}

impl Subscribable for Subscription {
    type Message = Bytes;

    fn into_source(self) -> Result<sealed::Source> {
        Ok(sealed::Source {
            // Names may come from the users of a service, so they are not listed one by one.
            label: match self.params() {
                Some(template) => template.to_string().into(),
                None => format!("{} by name", self.kind()).into(),
            },
            is_by_name: self.params().is_none(),
            subscriptions: [self].into(),
        })
    }
}

impl<M> sealed::Sealed for Address<M> {}

impl<M> Subscribable for Address<M> {
    type Message = M;

    fn into_source(self) -> Result<sealed::Source> {
        let subscriptions = self.subscriptions()?;
        let first = &subscriptions[0];
        Ok(sealed::Source {
            label: match first.params() {
                Some(template) => template.to_string().into(),
                // The name of a type without params.
                None => first.name().to_owned().into(),
            },
            is_by_name: false,
            subscriptions: subscriptions.into(),
        })
    }
}

pub(super) mod sealed {
    use std::borrow::Cow;
    use std::sync::Arc;

    use crate::error::{Error, Result};
    use crate::subscription::Subscription;

    pub trait Sealed {}

    /// The subscriptions of a stream.
    #[derive(Debug)]
    pub struct Source {
        pub(crate) subscriptions: Arc<[Subscription]>,
        /// What the counts of such streams are listed under.
        pub(crate) label: Cow<'static, str>,
        /// Whether the label is a kind of names instead of a template or a name.
        pub(crate) is_by_name: bool,
    }

    impl Source {
        /// Adds a prefix to every name.
        pub(crate) fn prefixed(self, prefix: &str) -> Result<Self> {
            let event = self
                .subscriptions
                .iter()
                .find(|name| name.is_of_one_event());
            if let Some(event) = event {
                return Err(Error::config(format!(
                    "no prefix can go before `{}`, which names an event and not keys; subscribe to \
                     the keys instead, or on a subscriber without a prefix",
                    event.name()
                )));
            }
            let names = self.subscriptions.iter().cloned();
            let label = match self.is_by_name {
                true => self.label,
                false => format!("{prefix}{}", self.label).into(),
            };
            Ok(Self {
                subscriptions: names.map(|name| name.prefixed(prefix)).collect(),
                label,
                ..self
            })
        }
    }
}
