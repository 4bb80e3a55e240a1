use native_tls::{Certificate, Protocol};
use std::error::Error as StdError;
use tokio::net::TcpStream;
use tokio_native_tls::TlsConnector;

use super::config::Tls;
use super::error::{Connected, TlsError, unusable};
use crate::error::Error;

/// TLS by the system's library: OpenSSL, or that of macOS or Windows.
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
                return Err(unusable("`Tls::root_certificate` was given no certificate"));
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
                    "`Tls::client_certificate` was given no certificate, or no private key in PKCS \
                     #8 (`BEGIN PRIVATE KEY`)",
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

    pub(super) async fn connect(&self, stream: TcpStream) -> Connected {
        let stream = self.connector.connect(&self.name, stream).await?;
        Ok(Box::new(stream))
    }
}

/// The system's library needs nothing.
pub(super) fn prepare_redis_rs() {}

/// Reads what there is to read: the libraries tell why by text only. What is not known stays in the
/// library's words.
pub(super) fn trouble(error: &(dyn StdError + 'static)) -> Option<TlsError> {
    let text = error.to_string().to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
    Some(
        if says(&["certificate has expired", "certexpired", "was expired"]) {
            TlsError::Expired
        } else if says(&["not yet valid"]) {
            TlsError::NotYetValid
        } else if says(&["hostname mismatch", "ip address mismatch"]) {
            TlsError::OtherName(Vec::new())
        } else if says(&[
            "self-signed certificate",
            "self signed certificate",
            "unable to get",
        ]) {
            TlsError::UnknownAuthority
        } else if says(&[
            "wrong version number",
            "packet length too long",
            "http request",
        ]) {
            TlsError::NotTls
        } else if says(&["alert certificate required"]) {
            TlsError::WantsCertificate
        } else if says(&[
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
        } else if says(&["certificate verify failed"]) {
            TlsError::BadCertificate(error.to_string())
        } else {
            return None;
        },
    )
}
