use super::crowd::Crowd;
use super::fence::Fence;

/// What all broadcast channels of a dispatcher share.
#[derive(Debug, Default)]
pub(crate) struct Common {
    pub(crate) fence: Fence,
    pub(crate) crowd: Crowd,
}
