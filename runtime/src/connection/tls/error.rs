use redis::ConnectionAddr;

use crate::connection::stream::Stream;
use crate::error::BoxError;
#[cfg(any(feature = "native-tls", feature = "rustls"))]
use crate::error::Error;

/// An error about what [`Tls`] was given. The words of a parser are left out: they may quote a key.
#[cfg(any(feature = "native-tls", feature = "rustls"))]
pub(super) fn unusable(what: &str) -> Error {
    Error::config(format!("{what}: `start` expects PEM, with its line breaks"))
}

/// What a handshake comes to.
pub(super) type Connected = Result<Box<dyn Stream>, BoxError>;

/// Why nothing came of TLS with a server, where it is for a person to mend.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(
    not(any(feature = "native-tls", feature = "rustls")),
    expect(dead_code, reason = "without TLS there is no such trouble")
)]
pub(super) enum TlsError {
    UnknownAuthority,
    Expired,
    NotYetValid,
    /// The certificate is for these names, where that is known.
    OtherName(Vec<String>),
    /// It is wrong in another way.
    BadCertificate(String),
    NotTls,
    WantsCertificate,
    RefusesCertificate,
}

impl TlsError {
    /// What is wrong, and what to do about it.
    pub(super) fn to_string(&self, address: &ConnectionAddr) -> String {
        match self {
            Self::UnknownAuthority => format!(
                "the certificate of the server at {address} is by an authority that is not trusted \
                 here; if it is the right server, give its authority to `Tls::root_certificate`"
            ),
            Self::Expired => format!(
                "the certificate of the server at {address} has expired; it must be renewed there, \
                 if this machine's clock is right"
            ),
            Self::NotYetValid => format!(
                "the certificate of the server at {address} is not valid yet; is this machine's \
                 clock right?"
            ),
            Self::OtherName(names) => {
                let names = match &names[..] {
                    [] => String::new(),
                    names => format!(" ({})", names.join(", ")),
                };
                format!(
                    "the certificate of the server at {address} is for another name{names}; connect \
                     by a name that it holds, or give that to `Tls::server_name`"
                )
            }
            Self::BadCertificate(why) => {
                format!("the certificate of the server at {address} cannot be taken: {why}")
            }
            Self::NotTls => format!(
                "what answers at {address} does not speak TLS; a server's TLS port is another one \
                 than its plain port, whose URL begins with `redis://`"
            ),
            Self::WantsCertificate => format!(
                "the server at {address} asks for a client certificate; give one with \
                 `Tls::client_certificate`"
            ),
            Self::RefusesCertificate => format!(
                "the server at {address} refuses the client certificate; is the one of \
                 `Tls::client_certificate` by an authority that it trusts, and not expired?"
            ),
        }
    }
}
