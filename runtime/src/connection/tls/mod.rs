//! TLS: the same for every link.
//!
//! A [`Connector`] is built once, from the options in [`Tls`] and the address, and makes a TLS stream of
//! a TCP stream for each connection. One of three backends does the work:
//!
//! | backend | when | library |
//! | --- | --- | --- |
//! | `rustls` | feature `rustls` | rustls; `accept_any` is its verifier for `Tls::danger_accept_any_certificate` |
//! | `native` | feature `native-tls`, without `rustls` | the system's: OpenSSL, or that of macOS or Windows |
//! | `disabled` | neither feature | none: a `rediss://` URL is an error |
//!
//! redis-rs does its own TLS only for a redis-rs client that was built with certificates, which cannot
//! be read, or in a build without these features; never on the wire link. Its TLS reads the system's
//! authorities for every connection and fails if one of them is malformed, trusts no server if both of
//! its TLS features are on, and panics if it cannot decide on a crypto provider.
//!
//! In: `connection::options` builds the connector, `Server::dial` calls it. Out: an encrypted stream, or
//! an error with advice: `error` lists the causes, and `plaintext_probe` finds out whether a silent port
//! is a plain one.
//!
//! Invariants:
//!
//! - A `rediss://` connection is encrypted or fails: it never falls back to plain text. The probe sends
//!   one plain `PING` over a separate connection, and nothing else.
//! - The server's certificate is checked at every connection, unless
//!   `Tls::danger_accept_any_certificate` is set, which is logged. Sessions are not resumed with rustls,
//!   as a resumed session does not show the certificate again.
//! - No error and no `Debug` output contains a key. The texts of PEM parsers are left out, as they may
//!   quote one.

#[cfg(feature = "rustls")]
mod accept_any;
mod config;
#[cfg(not(any(feature = "native-tls", feature = "rustls")))]
mod disabled;
mod error;
#[cfg(all(feature = "native-tls", not(feature = "rustls")))]
mod native;
mod plaintext_probe;
#[cfg(feature = "rustls")]
mod rustls;

pub use config::Tls;

#[cfg(not(any(feature = "native-tls", feature = "rustls")))]
use disabled as backend;
#[cfg(all(feature = "native-tls", not(feature = "rustls")))]
use native as backend;
#[cfg(feature = "rustls")]
use rustls as backend;

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use redis::ConnectionAddr;
use tokio::net::TcpStream;

use crate::connection::stream::Stream;
use crate::error::Error;

use error::TlsError;
use plaintext_probe::speaks_plainly;

/// Whether this build has TLS.
pub(super) const IS_BUILT_IN: bool = cfg!(any(feature = "native-tls", feature = "rustls"));

/// The error text of a build without TLS.
pub(super) const NOT_BUILT_IN: &str = "a `rediss://` connection needs TLS, which is not built in: \
     enable the feature `rustls` (or `native-tls`) of the crate `redis-push`";

/// Makes TLS streams to one server.
pub(crate) struct Connector {
    backend: backend::Connector,
    host: String,
    port: u16,
    /// Whether there is a client certificate.
    shows_certificate: bool,
    /// Whether the name in the certificate is not that of the host.
    has_own_name: bool,
}

impl Connector {
    /// Creates a connector to the server at `host` and `port`.
    ///
    /// # Errors
    ///
    /// Returns an error if an option does not contain a valid certificate, key or name.
    pub(super) fn new(tls: &Tls, host: &str, port: u16) -> Result<Self, Error> {
        let name = tls.server_name.as_deref().unwrap_or(host);
        if tls.accepts_any {
            tracing::warn!(
                target: "redis_push",
                "server certificate not checked: anyone on the network path can read and change \
                 everything (`Tls::danger_accept_any_certificate`)"
            );
        }
        Ok(Self {
            backend: backend::Connector::new(tls, name)?,
            host: host.to_owned(),
            port,
            shows_certificate: tls.identity.is_some(),
            has_own_name: tls.server_name.is_some(),
        })
    }

    /// Returns a connector with the same options to another server.
    ///
    /// # Errors
    ///
    /// Returns an error if a certificate cannot contain the host.
    pub(super) fn at(&self, host: &str, port: u16) -> Result<Self, Error> {
        Ok(Self {
            backend: match self.has_own_name {
                true => self.backend.clone(),
                false => self.backend.named(host)?,
            },
            host: host.to_owned(),
            port,
            ..*self
        })
    }

    /// Makes a TLS stream of a TCP stream.
    pub(super) async fn connect(
        &self,
        stream: TcpStream,
        address: &ConnectionAddr,
    ) -> Result<Box<dyn Stream>, Error> {
        let connected = tokio::select! {
            biased;
            connected = self.backend.connect(stream) => connected,
            () = speaks_plainly(&self.host, self.port) => {
                return Err(Error::tls(TlsError::NotTls.to_string(address)));
            }
        };
        connected.map_err(|error| {
            explain(&*error, address)
                .unwrap_or_else(|| {
                    let hint = self.hint_on_end();
                    Error::connection(format!(
                        "TLS handshake with {address} failed: {error}{hint}"
                    ))
                })
                .caused_by(error)
        })
    }

    /// Returns advice for a server that closes the connection during the handshake or right after it.
    /// Before TLS 1.3, a server does not report that a client certificate is missing.
    pub(super) fn hint_on_end(&self) -> &'static str {
        if self.shows_certificate {
            "; check that the server trusts the certificate of `Tls::client_certificate`"
        } else {
            "; if the server requires a client certificate, pass one to `Tls::client_certificate`"
        }
    }
}

/// Returns an error with advice, if the cause is one of TLS.
pub(super) fn explain(error: &(dyn StdError + 'static), address: &ConnectionAddr) -> Option<Error> {
    find(error).map(|cause| Error::tls(cause.to_string(address)))
}

/// Looks for an error of the TLS library in a chain of errors.
fn find(error: &(dyn StdError + 'static)) -> Option<TlsError> {
    let mut next = Some(error);
    while let Some(error) = next {
        // Neither of these two returns the error that it contains as its source.
        let inner = if let Some(shared) = error.downcast_ref::<Arc<dyn StdError + Send + Sync>>() {
            Some(&**shared as &(dyn StdError + 'static))
        } else {
            let io = error.downcast_ref::<io::Error>();
            io.and_then(io::Error::get_ref).map(|error| error as _)
        };
        if let Some(cause) = backend::classify(error) {
            return Some(cause);
        }
        next = inner.or_else(|| error.source());
    }
    None
}

/// Makes sure that redis-rs can do its own TLS, for a client that was built with certificates.
pub(crate) fn prepare_redis_rs() {
    backend::prepare_redis_rs();
}
