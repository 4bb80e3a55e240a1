use std::fmt;

/// The options of a `rediss://` connection: trusted roots and client identity.
///
/// By default the authorities of the system are trusted, no client certificate is shown, and the
/// server's certificate must contain the URL's host. `Debug` does not show the key.
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
/// The server's certificate is checked at every connection, and a connection never falls back to plain
/// text.
#[derive(Clone, Default)]
#[must_use]
pub struct Tls {
    pub(crate) roots: Vec<Vec<u8>>,
    pub(crate) identity: Option<Identity>,
    pub(crate) server_name: Option<String>,
    pub(crate) accepts_any: bool,
}

/// A client certificate with its private key, in PEM.
#[derive(Clone)]
#[cfg_attr(
    not(any(feature = "native-tls", feature = "rustls")),
    expect(dead_code, reason = "not read without TLS")
)]
pub(crate) struct Identity {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

impl Tls {
    /// Creates the default options. The authorities of the system are read once, by `start`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the authorities of a PEM file, which may contain several, **instead of** those of the
    /// system. May be called more than once.
    ///
    /// A file without a certificate is an error of `start`.
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem.into());
        self
    }

    /// Sets the certificate that is shown to the server (mutual TLS): the chain in PEM, the client's own
    /// certificate first, and its private key in PEM.
    ///
    /// With the feature `native-tls` the key must be PKCS #8 (`BEGIN PRIVATE KEY`); rustls accepts
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

    /// Sets the name that the server's certificate must contain, if that is not the host of the URL: for
    /// a server that is reached through a tunnel, or by its address.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Accepts **any** certificate: of any authority, expired, for any name.
    ///
    /// Anyone who can get between this program and the server can then read and change everything,
    /// including the password. Every start logs a warning. This is meant for servers whose certificate
    /// cannot be checked at all. If you can get the certificate, pass it to
    /// [`root_certificate`](Self::root_certificate) instead, and the name in it to
    /// [`server_name`](Self::server_name).
    ///
    /// A URL that ends in `#insecure`, which is how redis-rs writes this, is refused without this call.
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
