use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// Any error, as handlers and extractors return them.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// Why an argument could not be taken from a push.
///
/// Its text quotes nothing of the payload. Its [source](Error::source), and so its `Debug`, may: a
/// decoder's error names the value it did not expect.
#[derive(Debug)]
pub struct Rejection {
    unmatched: bool,
    reason: Cow<'static, str>,
    source: Option<BoxError>,
}

impl Rejection {
    /// Rejects for a reason that a person can read. Do not put the payload in it.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            unmatched: false,
            reason: reason.into(),
            source: None,
        }
    }

    /// Rejects for a reason that an error explains further.
    pub fn caused_by(reason: impl Into<Cow<'static, str>>, source: impl Into<BoxError>) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(reason)
        }
    }

    /// Says that the push was not meant for this handler, which is no error: a glob matches more
    /// than its template. It is counted `unmatched`.
    pub fn unmatched(reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            unmatched: true,
            ..Self::new(reason)
        }
    }

    /// Whether the push was not meant for this handler.
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
