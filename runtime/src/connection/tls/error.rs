//! The errors of TLS that users can fix, with advice.

use redis::ConnectionAddr;

use crate::connection::stream::Stream;
use crate::error::BoxError;
#[cfg(any(feature = "native-tls", feature = "rustls"))]
use crate::error::Error;

/// Returns the error for an option of [`Tls`](super::Tls) that cannot be used. The text of the parser is
/// left out, because it may quote a key.
#[cfg(any(feature = "native-tls", feature = "rustls"))]
pub(super) fn unusable(what: &str) -> Error {
    Error::config(format!("{what}; expected PEM, with its line breaks"))
}

/// The result of a handshake.
pub(super) type Connected = Result<Box<dyn Stream>, BoxError>;

/// Why TLS with a server failed.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(
    not(any(feature = "native-tls", feature = "rustls")),
    expect(dead_code, reason = "not constructed without TLS")
)]
pub(super) enum TlsError {
    UnknownAuthority,
    Expired,
    NotYetValid,
    /// The certificate is for other names: for these, if they are known.
    OtherName(Vec<String>),
    /// The certificate is invalid in another way.
    BadCertificate(String),
    NotTls,
    WantsCertificate,
    RefusesCertificate,
}

impl TlsError {
    /// Returns what is wrong, and what to do about it.
    pub(super) fn to_string(&self, address: &ConnectionAddr) -> String {
        match self {
            Self::UnknownAuthority => format!(
                "the certificate of the server at {address} is issued by an authority that is not \
                 trusted here; if this is the right server, pass the authority's certificate to \
                 `Tls::root_certificate`"
            ),
            Self::Expired => format!(
                "the certificate of the server at {address} has expired; renew it on the server, or \
                 correct this machine's clock"
            ),
            Self::NotYetValid => format!(
                "the certificate of the server at {address} is not valid yet; check this machine's \
                 clock"
            ),
            Self::OtherName(names) => {
                let names = match &names[..] {
                    [] => String::new(),
                    names => format!(" ({})", names.join(", ")),
                };
                format!(
                    "the certificate of the server at {address} is for another name{names}; connect \
                     by a name that it contains, or pass that name to `Tls::server_name`"
                )
            }
            Self::BadCertificate(why) => {
                format!("the certificate of the server at {address} is not accepted: {why}")
            }
            Self::NotTls => format!(
                "the server at {address} does not speak TLS on this port; a server's TLS port is not \
                 its plain port, whose URL begins with `redis://`"
            ),
            Self::WantsCertificate => format!(
                "the server at {address} requires a client certificate; pass one to \
                 `Tls::client_certificate`"
            ),
            Self::RefusesCertificate => format!(
                "the server at {address} has refused the client certificate; check that the \
                 certificate of `Tls::client_certificate` has not expired, and that the server \
                 trusts its authority"
            ),
        }
    }
}
