use super::TypeName;
use super::source::Source;
use crate::subscription::Subscription;

/// Describes a handler's message to the macros, at compile time.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MessageDescriptor {
    /// The subscriptions that the type names; empty for a payload of any channel.
    pub subscriptions: &'static [Subscription],
    /// The names of the fields, for options that refer to one.
    pub fields: &'static [&'static str],
    /// The fields that have other names in the payload than in the type, or several.
    pub names: &'static [(&'static str, &'static [&'static str])],
    /// The codec of the payload, such as `json`; empty if the type has none.
    pub codec: &'static str,
    /// The name of the type, if the type names its channel. Handlers must not take two such types
    /// from one channel.
    pub(crate) type_name: Option<TypeName>,
    pub(crate) source: Source,
}

impl MessageDescriptor {
    /// A payload of any channel, without a codec.
    pub const PAYLOAD: Self = Self::payload("");

    /// Describes a payload of any channel. The codec is what the [wiring](crate::Wiring) shows:
    /// `json`, `text`, `bytes` or a word of your own.
    #[must_use]
    pub const fn payload(codec: &'static str) -> Self {
        Self {
            subscriptions: &[],
            fields: &[],
            names: &[],
            codec,
            type_name: None,
            source: Source::Channel,
        }
    }

    /// Describes a message that only some channels carry, or none.
    pub(crate) const fn from_source(source: Source) -> Self {
        Self {
            source,
            ..Self::PAYLOAD
        }
    }

    /// Describes a [`PushMessage`](crate::PushMessage), which names its channels.
    #[must_use]
    pub const fn of<T: crate::PushMessage>() -> Self {
        Self {
            subscriptions: T::SUBSCRIPTIONS,
            fields: T::FIELDS,
            names: T::NAMES,
            codec: T::CODEC,
            type_name: Some(std::any::type_name::<T>),
            source: Source::Channel,
        }
    }
}
