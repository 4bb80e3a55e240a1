use super::FromPush;
use crate::error::Rejection;
use crate::push::Push;

/// The name of the channel that the push was published on.
///
/// An invalidation and an event of the connection come by no channel: in their handlers it is
/// refused at compile time. Rejects a name that is not UTF-8; an extractor of one's own can take
/// [`Push::channel`] for those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChannelName<'p>(pub &'p str);

impl<'p> ChannelName<'p> {
    /// The name.
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
