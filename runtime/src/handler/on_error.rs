use std::fmt;

use serde::{Deserialize, Serialize};

/// What a handler does after a delivery that did not succeed: the policy
/// [`Spec::on_error`](crate::Spec::on_error).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnError {
    /// It continues with the next message.
    #[default]
    Continue,
    /// It runs its gap handler before the next message, with the cause
    /// [`Requested`](crate::GapCause::Requested), as after a [`Fault::resync`](crate::Fault::resync).
    Resync,
}

impl fmt::Display for OnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Continue => "continue",
            Self::Resync => "resync",
        })
    }
}
