use std::collections::BTreeSet;

use bytes::Bytes;

use super::command::Command;

/// The transaction of one client, and the keys that it watches.
#[derive(Default)]
pub(super) struct Transaction {
    /// The commands since MULTI; `None` outside a transaction.
    pub(super) queue: Option<Vec<Queued>>,
    /// Whether a command was refused since MULTI. Then EXEC is refused too.
    pub(super) is_refused: bool,
    /// Databases and keys: the reverse of `BrokerState::watchers`.
    pub(super) watched: BTreeSet<(usize, Bytes)>,
    /// Whether a watched key has changed.
    pub(super) is_stale: bool,
}

/// A command that waits for EXEC.
pub(super) struct Queued {
    pub(super) command: &'static Command,
    /// These keep the read buffer alive until EXEC.
    pub(super) arguments: Vec<Bytes>,
}
