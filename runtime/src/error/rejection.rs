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
    meaning: Meaning,
    reason: Cow<'static, str>,
    /// Shared, because a message that readers share may be rejected for all of them.
    source: Option<Arc<dyn Error + Send + Sync + 'static>>,
}

/// What a rejection says of the push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// It is not what the handler takes.
    Unfit,
    /// It was not meant for the handler.
    Unmatched,
    /// A layer did not want it.
    Skipped,
}

impl Rejection {
    /// Creates a rejection from a reason for people to read. The reason should not quote the
    /// payload.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            meaning: Meaning::Unfit,
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
            meaning: Meaning::Unmatched,
            ..Self::new(reason)
        }
    }

    /// Returns whether the push was not meant for this handler.
    #[must_use]
    pub fn is_unmatched(&self) -> bool {
        self.meaning == Meaning::Unmatched
    }

    /// Creates the rejection by which a layer skips a delivery.
    pub(crate) fn skip() -> Self {
        Self {
            meaning: Meaning::Skipped,
            ..Self::new("a layer has skipped the delivery")
        }
    }

    pub(crate) fn is_skip(&self) -> bool {
        self.meaning == Meaning::Skipped
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
