use std::sync::Arc;

use crate::error::Error;

/// The published state of a session, or of all sessions together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Status {
    pub(crate) phase: Phase,
    /// The last error since the names were confirmed: why a connection ended, could not be made, or has no
    /// confirmations.
    pub(crate) error: Option<Arc<Error>>,
}

/// The combined state of all subscriptions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// There is no connection, or some name is neither confirmed nor denied.
    #[default]
    Pending,
    /// Every name is confirmed or denied, and some are denied.
    SomeDenied,
    /// Every name is confirmed.
    Confirmed,
}
