use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Any error, as handlers and extractors return it.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// The reason why an argument could not be extracted from a push.
///
/// Its text does not quote the payload. Its [source](Error::source) may, and so may its `Debug`: a
/// decoder's error shows the value that it did not expect.
#[derive(Clone, Debug)]
pub struct Rejection {
    unmatched: bool,
    reason: Cow<'static, str>,
    /// Shared, because a message that readers share may be rejected for all of them.
    source: Option<Arc<dyn Error + Send + Sync + 'static>>,
}

impl Rejection {
    /// Creates a rejection from a reason for people to read. The reason should not quote the
    /// payload.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            unmatched: false,
            reason: reason.into(),
            source: None,
        }
    }

    /// Creates a rejection from a reason and the error that caused it.
    pub fn caused_by(reason: impl Into<Cow<'static, str>>, source: impl Into<BoxError>) -> Self {
        Self {
            source: Some(source.into().into()),
            ..Self::new(reason)
        }
    }

    /// Creates a rejection of a push that was not meant for this handler. This is not an error: a
    /// glob matches more channels than its template. The delivery is counted `unmatched`.
    pub fn unmatched(reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            unmatched: true,
            ..Self::new(reason)
        }
    }

    /// Returns whether the push was not meant for this handler.
    #[must_use]
    pub fn is_unmatched(&self) -> bool {
        self.unmatched
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Error for Rejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}
