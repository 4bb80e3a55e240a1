use std::fmt;

use super::rejection::{BoxError, Rejection};

/// The reason why a delivery was rejected or failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Fault {
    /// An argument could not be extracted from the push; the handler's body did not run.
    Rejected(Rejection),
    /// The handler returned an error.
    Failed(BoxError),
}

impl Fault {
    /// Creates a fault from an error of the handler: `.map_err(Fault::failed)?`.
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
