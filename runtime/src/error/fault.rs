use std::fmt;

use super::rejection::{BoxError, Rejection};

/// Why a delivery did not end well.
#[derive(Debug)]
#[non_exhaustive]
pub enum Fault {
    /// An argument could not be taken from the push; the handler's body did not run.
    Rejected(Rejection),
    /// The handler returned an error.
    Failed(BoxError),
}

impl Fault {
    /// A fault of the handler's own: `.map_err(Fault::failed)?`.
    pub fn failed(error: impl Into<BoxError>) -> Self {
        Self::Failed(error.into())
    }
}

impl From<BoxError> for Fault {
    fn from(error: BoxError) -> Self {
        Self::Failed(error)
    }
}

impl From<Rejection> for Fault {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejection) => rejection.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Rejected(rejection) => rejection.source(),
            Self::Failed(error) => error.source(),
        }
    }
}
