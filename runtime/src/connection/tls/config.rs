use std::fmt;

/// How a `rediss://` connection is secured: whom it trusts, and who it says it is.
///
/// What is not set has the usual meaning: the authorities that the system trusts, no certificate of
/// one's own, and the URL's host as the name that the server's certificate must hold. `Debug` shows
/// no key.
///
/// ```no_run
/// use redis_push::{Subscriber, Tls};
///
/// # fn main() -> std::io::Result<()> {
/// let tls = Tls::new()
///     .root_certificate(std::fs::read("ca.pem")?)
///     .client_certificate(std::fs::read("client.pem")?, std::fs::read("client.key")?);
/// let subscriber = Subscriber::new("rediss://redis.internal:6380/").tls(tls);
/// # Ok(())
/// # }
/// ```
///
/// The server's certificate is checked anew at every connection, and there is no way back to plain
/// text.
#[derive(Clone, Default)]
#[must_use]
pub struct Tls {
    pub(crate) roots: Vec<Vec<u8>>,
    pub(crate) identity: Option<Identity>,
    pub(crate) server_name: Option<String>,
    pub(crate) accepts_any: bool,
}

/// A certificate of our own with its key, in PEM.
#[derive(Clone)]
#[cfg_attr(
    not(any(feature = "native-tls", feature = "rustls")),
    expect(dead_code, reason = "nobody is shown them without TLS")
)]
pub(crate) struct Identity {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

impl Tls {
    /// The usual: the system's authorities, which are read once, by `start`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the authorities of a PEM file, which may hold several, **instead of** those of the
    /// system. May be called more than once.
    ///
    /// `start` says so when it holds no certificate.
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem.into());
        self
    }

    /// Shows the server a certificate (mutual TLS): the chain in PEM, one's own first, and its
    /// private key in PEM.
    ///
    /// With the feature `native-tls` the key must be PKCS #8 (`BEGIN PRIVATE KEY`); rustls takes
    /// the older forms too.
    pub fn client_certificate(
        mut self,
        certificate_pem: impl Into<Vec<u8>>,
        key_pem: impl Into<Vec<u8>>,
    ) -> Self {
        self.identity = Some(Identity {
            certificate: certificate_pem.into(),
            key: key_pem.into(),
        });
        self
    }

    /// Sets the name that the server's certificate must hold, where it is not the host of the URL:
    /// behind a tunnel, or for a server that is reached by its address.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Takes **any** certificate: of any authority, expired, for any name.
    ///
    /// Who can place themselves between this program and the server can then read and change
    /// everything, the password included. The log says so at every start. It is meant for servers
    /// whose certificate cannot be checked by anybody; where it can be had, give it to
    /// [`root_certificate`](Self::root_certificate), and [`server_name`](Self::server_name) the
    /// name in it.
    ///
    /// A URL that ends in `#insecure`, which is how redis-rs writes this, is refused without it.
    pub fn danger_accept_any_certificate(mut self) -> Self {
        self.accepts_any = true;
        self
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("root_certificates", &self.roots.len())
            .field("client_certificate", &self.identity.is_some())
            .field("server_name", &self.server_name)
            .field("accepts_any_certificate", &self.accepts_any)
            .finish()
    }
}
