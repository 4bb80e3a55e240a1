use std::sync::Arc;

use crate::error::Error;

/// What the supervisor lets others see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Status {
    pub(crate) phase: Phase,
    /// Why the last generation ended, or could not begin.
    pub(crate) error: Option<Arc<Error>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// There is no connection, or not every name has been answered.
    #[default]
    Connecting,
    /// Every name has been answered, and some were denied.
    Degraded,
    /// Every name is confirmed on this connection.
    Ready,
}
