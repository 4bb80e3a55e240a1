//! The backend for rustls.

use std::error::Error as StdError;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    self, AlertDescription, CertificateError, ClientConfig, InvalidMessage, RootCertStore,
};

use super::accept_any::AcceptAnyCertificate;
use super::config::{Identity, Tls};
use super::error::{Connected, TlsError, unusable};
use crate::error::Error;

/// Makes TLS streams with rustls.
#[derive(Clone)]
pub(super) struct Connector {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Connector {
    pub(super) fn new(tls: &Tls, name: &str) -> Result<Self, Error> {
        let name = server_name(name)?;
        let provider = provider();
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(refused)?;
        let config = if tls.accepts_any {
            config
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AcceptAnyCertificate::new(&provider)))
        } else {
            config.with_root_certificates(roots(&tls.roots)?)
        };
        let mut config = match &tls.identity {
            Some(identity) => {
                let (chain, key) = parsed(identity)?;
                config.with_client_auth_cert(chain, key).map_err(refused)?
            }
            None => config.with_no_client_auth(),
        };
        // A resumed session would not show its certificate again.
        config.resumption = Resumption::disabled();
        Ok(Self {
            connector: Arc::new(config).into(),
            name,
        })
    }

    /// Returns a connector with the same options, to a server whose certificate has another name.
    pub(super) fn named(&self, name: &str) -> Result<Self, Error> {
        Ok(Self {
            connector: self.connector.clone(),
            name: server_name(name)?,
        })
    }

    pub(super) async fn connect(&self, stream: TcpStream) -> Connected {
        let stream = self.connector.connect(self.name.clone(), stream).await?;
        Ok(Box::new(stream))
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(name.to_owned()).map_err(|_| {
        Error::config(format!(
            "`{name}` is not a name that a certificate can contain"
        ))
    })
}

/// Returns the crypto provider of the process if the program has set one, or else that of `ring`.
fn provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(ring::default_provider()))
}

/// Installs `ring` as the crypto provider of the process, unless there is one. redis-rs panics without
/// one if more than one provider is compiled in.
pub(super) fn prepare_redis_rs() {
    if CryptoProvider::get_default().is_none() {
        // This fails if another thread has just installed one, which is fine too.
        let _ = ring::default_provider().install_default();
    }
}

/// Returns the roots in the PEM files, or those of the system if there are no files.
fn roots(given: &[Vec<u8>]) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    for pem in given {
        let problem = || unusable("`Tls::root_certificate` contains no certificate");
        let mut count = 0;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| problem())?;
            store.add(certificate).map_err(refused)?;
            count += 1;
        }
        if count == 0 {
            return Err(problem());
        }
    }
    if given.is_empty() {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(target: "redis_push", %error, "cannot read a root certificate of the system");
        }
        store.add_parsable_certificates(found.certs);
        if store.is_empty() {
            return Err(Error::config(
                "the system has no trusted root certificates: install them (on Debian, the package \
                 `ca-certificates`), or call `Tls::root_certificate`",
            ));
        }
    }
    Ok(store)
}

type Chain = Vec<CertificateDer<'static>>;

fn parsed(identity: &Identity) -> Result<(Chain, PrivateKeyDer<'static>), Error> {
    let chain: Chain = CertificateDer::pem_slice_iter(&identity.certificate)
        .collect::<Result<_, _>>()
        .unwrap_or_default();
    if chain.is_empty() {
        return Err(unusable(
            "`Tls::client_certificate` contains no certificate",
        ));
    }
    let key = PrivateKeyDer::from_pem_slice(&identity.key)
        .map_err(|_| unusable("`Tls::client_certificate` contains no private key"))?;
    Ok((chain, key))
}

fn refused(error: rustls::Error) -> Error {
    Error::config(format!("the TLS options cannot be used: {error}")).caused_by(error)
}

/// Returns the name in rustls's `DnsName("redis.internal")`.
fn bare(presented: &str) -> String {
    let quoted = presented.split('"').nth(1);
    quoted.unwrap_or(presented).to_owned()
}

/// Returns the cause of an error, if it is an error of rustls for which there is advice.
pub(super) fn classify(error: &(dyn StdError + 'static)) -> Option<TlsError> {
    use AlertDescription as Alert;
    use CertificateError as Certificate;

    Some(match error.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(error) => match error {
            Certificate::UnknownIssuer => TlsError::UnknownAuthority,
            Certificate::Expired | Certificate::ExpiredContext { .. } => TlsError::Expired,
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
                TlsError::NotYetValid
            }
            Certificate::NotValidForName => TlsError::OtherName(Vec::new()),
            Certificate::NotValidForNameContext { presented, .. } => {
                TlsError::OtherName(presented.iter().map(|name| bare(name)).collect())
            }
            other => TlsError::BadCertificate(other.to_string()),
        },
        rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => TlsError::NotTls,
        rustls::Error::AlertReceived(Alert::CertificateRequired) => TlsError::WantsCertificate,
        rustls::Error::AlertReceived(
            Alert::AccessDenied
            | Alert::BadCertificate
            | Alert::CertificateExpired
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            | Alert::DecryptError
            | Alert::UnknownCA
            | Alert::UnsupportedCertificate,
        ) => TlsError::RefusesCertificate,
        _ => return None,
    })
}
