use super::FromPush;
use crate::error::Rejection;
use crate::push::Push;

/// The name of the channel that the push was published on.
///
/// Invalidations and connection events have no channel, so their handlers cannot take this
/// argument: it is a compile error. Rejects a name that is not UTF-8; for such names, write an
/// extractor that reads [`Push::channel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChannelName<'p>(pub &'p str);

impl<'p> ChannelName<'p> {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &'p str {
        self.0
    }
}

impl<'p, S> FromPush<'p, S> for ChannelName<'p> {
    const NEEDS_CHANNEL: bool = true;

    fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        push.channel_str().map(Self)
    }
}
