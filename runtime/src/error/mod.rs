//! Errors: what the library returns, and what handlers and extractors return to it.
//!
//! | type | returned by | goes to |
//! | --- | --- | --- |
//! | [`Error`] | the library | the caller: of `start`, `run`, `publish`, … |
//! | [`Rejection`] | extractors | the outcome `rejected` or `unmatched`, the log, the failure hook |
//! | [`Fault`] | handlers | the outcome of the delivery, the log, the failure hook; may request a resync |
//! | [`BoxError`] | user code | the source of a [`Rejection`], or a [`Fault`] |
//!
//! # In and out
//!
//! Every module creates errors with the constructors here, one for each kind; this module uses only
//! `util`. Users ask an [`Error`] for its kind with the `is_*` predicates.
//!
//! # Invariants
//!
//! - [`Error`] is opaque. A new kind is not a breaking change.
//! - The text of an [`Error`] says what is wrong, where, and what to do about it.
//! - The text of an [`Error`] contains no password, and neither does its `Debug`.
//! - The text of a [`Rejection`] does not quote the payload; its sources may.

mod causes;
mod fault;
mod rejection;
mod resync;

pub(crate) use causes::WithCauses;
pub use fault::Fault;
pub use rejection::{BoxError, Rejection};

use std::fmt;
use std::sync::Arc;

use crate::util::Contained;

/// A `Result` with [`Error`] as the default error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why a subscriber could not start or continue, or a message was not published.
///
/// The text says what is wrong, where, and what to do about it. It contains no password. `Debug`
/// prints the same text, so that a `main` that returns the error shows it in readable form.
pub struct Error {
    kind: Kind,
    text: String,
    source: Contained<Arc<dyn std::error::Error + Send + Sync>>,
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
    Limit,
    Hook,
    #[cfg(feature = "cache")]
    Load,
}

impl Error {
    /// Returns the kind in one word, for spans.
    pub(crate) fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Config => "config",
            Kind::Connection => "connection",
            Kind::Auth => "auth",
            Kind::Tls => "tls",
            Kind::Denied => "denied",
            Kind::Timeout => "timeout",
            Kind::Encode => "encode",
            Kind::Limit => "limit",
            Kind::Hook => "hook",
            #[cfg(feature = "cache")]
            Kind::Load => "load",
        }
    }

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

    pub(crate) fn limit(text: impl Into<String>) -> Self {
        Self::new(Kind::Limit, text)
    }

    pub(crate) fn hook(text: impl Into<String>) -> Self {
        Self::new(Kind::Hook, text)
    }

    #[cfg(feature = "cache")]
    pub(crate) fn load(text: impl Into<String>) -> Self {
        Self::new(Kind::Load, text)
    }

    pub(crate) fn caused_by(self, source: impl Into<BoxError>) -> Self {
        Self {
            source: Contained::new(Some(source.into().into())),
            ..self
        }
    }

    /// Copies the error for another caller. Both have the same source.
    pub(crate) fn again(&self) -> Self {
        Self {
            source: Contained::new(self.source.get().cloned()),
            ..Self::new(self.kind, self.text.clone())
        }
    }

    /// Replaces the text of the error.
    pub(crate) fn in_words(self, reword: impl FnOnce(String) -> String) -> Self {
        Self {
            text: reword(self.text),
            ..self
        }
    }

    fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            source: Contained::new(None),
        }
    }

    /// Returns whether the program requests something that cannot work with any server: for example
    /// a URL that does not parse, a handler that listens to nothing, or RESP2.
    #[must_use]
    pub fn is_config(&self) -> bool {
        self.kind == Kind::Config
    }

    /// Returns whether a function that was passed to
    /// [`Subscriber::on_ready`](crate::Subscriber::on_ready) has failed or panicked.
    #[must_use]
    pub fn is_hook(&self) -> bool {
        self.kind == Kind::Hook
    }

    /// Returns whether there was no connection to the server, the connection was lost, or the server
    /// cannot do in its present state what is asked, such as while it loads its data. A deadline that
    /// passed without a connection is [a timeout](Self::is_timeout) as well.
    #[must_use]
    pub fn is_connection(&self) -> bool {
        let source = self.source.get();
        let cause = source.and_then(|source| source.downcast_ref::<Arc<Self>>());
        self.kind == Kind::Connection || cause.is_some_and(|cause| cause.is_connection())
    }

    /// Returns whether the server refused the user name or the password, or does not allow the user what a
    /// connection needs: the error names the right that is missing.
    #[must_use]
    pub fn is_auth(&self) -> bool {
        self.kind == Kind::Auth
    }

    /// Returns whether TLS failed on either side: the server's certificate is from an unknown
    /// authority, has expired, or is for another name; the port does not speak TLS; or the server
    /// requires another client certificate. There is then no connection, and no attempt to connect
    /// without TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.kind == Kind::Tls
    }

    /// Returns whether the server refused a subscription, a message to publish, or to read a key.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.kind == Kind::Denied
    }

    /// Returns whether the deadline of a call passed: of `start`, of a publish, or of the read of a key. A
    /// connection that was not made in time is [a connection error](Self::is_connection) instead.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.kind == Kind::Timeout
    }

    /// Returns whether a message could not be encoded: its payload, or the name of its channel. The
    /// name of a channel is also that of an [`Address`](crate::Address). Also whether a value cannot be
    /// part of the name of a key.
    #[must_use]
    pub fn is_encode(&self) -> bool {
        self.kind == Kind::Encode
    }
}

impl Error {
    /// Returns whether a limit of the subscriber was reached, such as
    /// [`max_streams`](crate::Subscriber::max_streams).
    #[must_use]
    pub fn is_limit(&self) -> bool {
        self.kind == Kind::Limit
    }

    /// Returns whether a value for a [`NearCache`](crate::NearCache) could not be loaded: its loader has
    /// returned an error, which is the [source](std::error::Error::source) of this one, or has
    /// panicked, or the value of the key is not a string or does not decode.
    #[cfg(feature = "cache")]
    #[must_use]
    pub fn is_load(&self) -> bool {
        self.kind == Kind::Load
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
        self.source.get().map(|source| source.as_ref() as _)
    }
}
