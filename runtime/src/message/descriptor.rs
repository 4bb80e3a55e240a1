use super::source::Source;
use crate::subscription::Subscription;

/// What the macros ask of a handler's message at compile time.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MessageDescriptor {
    /// What the type itself says that it is published on; empty for a payload of any channel.
    pub subscriptions: &'static [Subscription],
    /// The names of the fields, for options that name one.
    pub fields: &'static [&'static str],
    /// How the payload is read, such as `json`; empty where the type does not say.
    pub codec: &'static str,
    /// The name of the type, where it names its channel: two of them do not go together on one.
    pub(crate) type_name: Option<fn() -> &'static str>,
    pub(crate) source: Source,
}

impl MessageDescriptor {
    /// A payload of any channel.
    pub const PAYLOAD: Self = Self::payload("");

    /// A payload of any channel, and how it is read, as the [wiring](crate::Wiring) is to say it:
    /// `json`, `text`, `bytes` or a word of your own.
    #[must_use]
    pub const fn payload(codec: &'static str) -> Self {
        Self {
            subscriptions: &[],
            fields: &[],
            codec,
            type_name: None,
            source: Source::Channel,
        }
    }

    /// What not every channel carries, or none.
    pub(crate) const fn from_source(source: Source) -> Self {
        Self {
            source,
            ..Self::PAYLOAD
        }
    }

    /// A [`PushMessage`](crate::PushMessage), which names its channels.
    #[must_use]
    pub const fn of<T: crate::PushMessage>() -> Self {
        Self {
            subscriptions: T::SUBSCRIPTIONS,
            fields: T::FIELDS,
            codec: T::CODEC,
            type_name: Some(std::any::type_name::<T>),
            source: Source::Channel,
        }
    }
}
