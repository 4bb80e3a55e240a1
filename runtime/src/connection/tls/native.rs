//! The backend for the system's TLS library: OpenSSL, or that of macOS or Windows.

use std::error::Error as StdError;

use native_tls::{Certificate, Protocol};
use tokio::net::TcpStream;
use tokio_native_tls::TlsConnector;

use super::config::Tls;
use super::error::{Connected, TlsError, unusable};
use crate::error::Error;

/// Makes TLS streams with the system's library.
#[derive(Clone)]
pub(super) struct Connector {
    connector: TlsConnector,
    name: String,
}

impl Connector {
    pub(super) fn new(tls: &Tls, name: &str) -> Result<Self, Error> {
        let mut builder = native_tls::TlsConnector::builder();
        builder.min_protocol_version(Some(Protocol::Tlsv12));
        for pem in &tls.roots {
            let certificates = Certificate::stack_from_pem(pem).unwrap_or_default();
            if certificates.is_empty() {
                return Err(unusable("`Tls::root_certificate` contains no certificate"));
            }
            builder.disable_built_in_roots(true);
            for certificate in certificates {
                builder.add_root_certificate(certificate);
            }
        }
        if let Some(identity) = &tls.identity {
            let identity = native_tls::Identity::from_pkcs8(&identity.certificate, &identity.key);
            builder.identity(identity.map_err(|_| {
                unusable(
                    "`Tls::client_certificate` contains no certificate, or no private key in PKCS #8 \
                     (`BEGIN PRIVATE KEY`)",
                )
            })?);
        }
        if tls.accepts_any {
            builder.danger_accept_invalid_certs(true);
            builder.danger_accept_invalid_hostnames(true);
        }
        let connector = builder.build().map_err(|error| {
            Error::config(format!("the TLS options cannot be used: {error}")).caused_by(error)
        })?;
        Ok(Self {
            connector: connector.into(),
            name: name.to_owned(),
        })
    }

    /// Returns a connector with the same options, to a server whose certificate has another name.
    pub(super) fn named(&self, name: &str) -> Result<Self, Error> {
        Ok(Self {
            connector: self.connector.clone(),
            name: name.to_owned(),
        })
    }

    pub(super) async fn connect(&self, stream: TcpStream) -> Connected {
        let stream = self.connector.connect(&self.name, stream).await?;
        Ok(Box::new(stream))
    }
}

/// The system's library needs no preparation.
pub(super) fn prepare_redis_rs() {}

/// Returns the cause of an error. The libraries report it only as text, so this searches the text for
/// known phrases. An error without one is printed in the library's words.
pub(super) fn classify(error: &(dyn StdError + 'static)) -> Option<TlsError> {
    let text = error.to_string().to_ascii_lowercase();
    let contains = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
    Some(
        if contains(&["certificate has expired", "certexpired", "was expired"]) {
            TlsError::Expired
        } else if contains(&["not yet valid"]) {
            TlsError::NotYetValid
        } else if contains(&["hostname mismatch", "ip address mismatch"]) {
            TlsError::OtherName(Vec::new())
        } else if contains(&[
            "self-signed certificate",
            "self signed certificate",
            "unable to get",
        ]) {
            TlsError::UnknownAuthority
        } else if contains(&[
            "wrong version number",
            "packet length too long",
            "http request",
        ]) {
            TlsError::NotTls
        } else if contains(&["alert certificate required"]) {
            TlsError::WantsCertificate
        } else if contains(&[
            "alert access denied",
            "alert bad certificate",
            "alert certificate expired",
            "alert certificate revoked",
            "alert certificate unknown",
            "alert decrypt error",
            "alert unknown ca",
            "alert unsupported certificate",
        ]) {
            TlsError::RefusesCertificate
        } else if contains(&["certificate verify failed"]) {
            TlsError::BadCertificate(error.to_string())
        } else {
            return None;
        },
    )
}
