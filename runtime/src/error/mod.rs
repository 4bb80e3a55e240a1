mod causes;
mod fault;
mod rejection;

pub(crate) use causes::WithCauses;
pub use fault::Fault;
pub use rejection::{BoxError, Rejection};

use std::fmt;
use std::sync::Arc;

/// The result of what can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a subscriber could not start or go on, or a message was not published.
///
/// The text says what is wrong, where, and what to do about it. It holds no password. `Debug` prints
/// the same text, so that a `main` that returns the error shows it as it was written.
pub struct Error {
    kind: Kind,
    text: String,
    source: Option<BoxError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Config,
    Connection,
    Auth,
    Tls,
    Denied,
    Timeout,
    Encode,
}

impl Error {
    pub(crate) fn config(text: impl Into<String>) -> Self {
        Self::new(Kind::Config, text)
    }

    pub(crate) fn connection(text: impl Into<String>) -> Self {
        Self::new(Kind::Connection, text)
    }

    pub(crate) fn auth(text: impl Into<String>) -> Self {
        Self::new(Kind::Auth, text)
    }

    pub(crate) fn tls(text: impl Into<String>) -> Self {
        Self::new(Kind::Tls, text)
    }

    pub(crate) fn denied(text: impl Into<String>) -> Self {
        Self::new(Kind::Denied, text)
    }

    pub(crate) fn timeout(text: impl Into<String>) -> Self {
        Self::new(Kind::Timeout, text)
    }

    pub(crate) fn encode(text: impl Into<String>) -> Self {
        Self::new(Kind::Encode, text)
    }

    pub(crate) fn caused_by(self, source: impl Into<BoxError>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }

    /// The same error for somebody else.
    pub(crate) fn again(&self) -> Self {
        Self::new(self.kind, self.text.clone())
    }

    /// The same error in other words.
    pub(crate) fn in_words(self, words: impl FnOnce(String) -> String) -> Self {
        Self {
            text: words(self.text),
            ..self
        }
    }

    fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            source: None,
        }
    }

    /// Whether the program asks for something that cannot be, whatever the server does: a URL that
    /// does not parse, no handlers, RESP2.
    #[must_use]
    pub fn is_config(&self) -> bool {
        self.kind == Kind::Config
    }

    /// Whether the reason is that there was no connection to the server, or it was lost. A deadline
    /// that passed without a connection [is a timeout](Self::is_timeout) too.
    #[must_use]
    pub fn is_connection(&self) -> bool {
        let source = self.source.as_ref();
        let cause = source.and_then(|source| source.downcast_ref::<Arc<Self>>());
        self.kind == Kind::Connection || cause.is_some_and(|cause| cause.is_connection())
    }

    /// Whether the server refused the user name or the password.
    #[must_use]
    pub fn is_auth(&self) -> bool {
        self.kind == Kind::Auth
    }

    /// Whether TLS could not be trusted, by either side: the server's certificate is by an unknown
    /// authority, has expired, or is for another name; the port speaks no TLS; or the server wants
    /// another client certificate. There is then no connection, and no attempt to do without.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.kind == Kind::Tls
    }

    /// Whether the server refused a subscription, or a message that was to be published.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.kind == Kind::Denied
    }

    /// Whether a deadline of the call passed: of `start`, or of a publish. That a connection was not
    /// made within its time [is about the connection](Self::is_connection).
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.kind == Kind::Timeout
    }

    /// Whether a message could not be written: its payload, or the name of its channel.
    #[must_use]
    pub fn is_encode(&self) -> bool {
        self.kind == Kind::Encode
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}
