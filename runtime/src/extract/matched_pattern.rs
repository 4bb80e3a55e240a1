use super::FromPush;
use crate::error::Rejection;
use crate::push::Push;
use crate::subscription::Kind;

/// The glob that matched the channel of the push.
///
/// Rejects a push of a subscription with an exact channel name. In a handler that may be mounted on
/// both, take `Option<MatchedPattern<'_>>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MatchedPattern<'p>(pub &'p str);

impl<'p> MatchedPattern<'p> {
    /// Returns the glob, as it was sent to the server.
    #[must_use]
    pub fn as_str(&self) -> &'p str {
        self.0
    }
}

impl<'p, S> FromPush<'p, S> for MatchedPattern<'p> {
    const NEEDS_PATTERN: bool = true;

    fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        match push.subscription().kind() {
            Kind::Pattern => Ok(Self(push.subscription().name())),
            _ => Err(Rejection::new(
                "the push has no matched pattern, because its subscription is an exact name",
            )),
        }
    }
}
