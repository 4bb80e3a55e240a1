use std::sync::Arc;

use crate::error::Error;

/// What the session lets others see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Status {
    pub(crate) phase: Phase,
    /// Why the last generation ended, or could not begin.
    pub(crate) error: Option<Arc<Error>>,
}

/// The states of all subscriptions together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// There is no connection, or the server has not answered for every name.
    #[default]
    Pending,
    /// Every name is confirmed or denied, and some are denied.
    SomeDenied,
    /// Every name is confirmed.
    Confirmed,
}
