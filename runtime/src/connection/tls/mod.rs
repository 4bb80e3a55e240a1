//! TLS under the links: the same for each of them.
//!
//! That of redis-rs is not used where it can be helped. It reads the system's authorities at every
//! connection and fails when one of them is odd, trusts nobody when both of its TLS features are
//! on, and panics when it cannot tell which crypto provider to use.

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

/// What a build without TLS says to who asks for it.
pub(super) const NOT_BUILT_IN: &str = "a `rediss://` connection needs TLS, which is not built in: \
     switch on the feature `rustls` (or `native-tls`) of the crate `redis-push`";

/// Makes a TLS connection of a TCP connection.
pub(crate) struct Connector {
    backend: backend::Connector,
    host: String,
    port: u16,
    shows_certificate: bool,
}

impl Connector {
    /// # Errors
    ///
    /// When the options hold something that is no certificate, key or name.
    pub(super) fn new(tls: &Tls, host: &str, port: u16) -> Result<Self, Error> {
        let name = tls.server_name.as_deref().unwrap_or(host);
        if tls.accepts_any {
            tracing::warn!(
                target: "redis_push",
                "the server's certificate is not checked: whoever is on the way can read and change \
                 everything (`Tls::danger_accept_any_certificate`)"
            );
        }
        Ok(Self {
            backend: backend::Connector::new(tls, name)?,
            host: host.to_owned(),
            port,
            shows_certificate: tls.identity.is_some(),
        })
    }

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
                    Error::connection(format!("cannot speak TLS with {address}: {error}{hint}"))
                })
                .caused_by(error)
        })
    }

    /// What to try when the server hangs up, in the handshake or right behind it: before TLS 1.3 it
    /// does not say that it misses a certificate.
    pub(super) fn hint_on_end(&self) -> &'static str {
        match self.shows_certificate {
            true => "; does it trust the one of `Tls::client_certificate`?",
            false => {
                "; if it asks for a client certificate, give one with `Tls::client_certificate`"
            }
        }
    }
}

/// What is wrong between the server and us, if the error says that it is a matter of TLS.
pub(super) fn explain(error: &(dyn StdError + 'static), address: &ConnectionAddr) -> Option<Error> {
    find(error).map(|trouble| Error::tls(trouble.to_string(address)))
}

/// Looks for TLS's own words in a chain of errors.
fn find(error: &(dyn StdError + 'static)) -> Option<TlsError> {
    let mut next = Some(error);
    while let Some(error) = next {
        // Neither names what it holds as its source.
        let inner = if let Some(shared) = error.downcast_ref::<Arc<dyn StdError + Send + Sync>>() {
            Some(&**shared as &(dyn StdError + 'static))
        } else {
            let io = error.downcast_ref::<io::Error>();
            io.and_then(io::Error::get_ref).map(|error| error as _)
        };
        if let Some(trouble) = backend::trouble(error) {
            return Some(trouble);
        }
        next = inner.or_else(|| error.source());
    }
    None
}

/// Makes sure that redis-rs can do TLS where a client of its own asks for it.
pub(crate) fn prepare_redis_rs() {
    backend::prepare_redis_rs();
}
