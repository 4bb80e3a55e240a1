use std::fmt;
use std::time::Duration;

use redis::Client;

use super::address_map::AddressMap;
use super::cluster::ClusterConnection;
use super::command_connection::CommandConnection;
use super::credentials::{Credentials, Provider};
#[cfg(any(test, feature = "testing"))]
use super::destination::Destination;
use super::lazy::LazyConnection;
use super::options::{Options, Servers, Target};
use super::tls::Tls;
use crate::error::{BoxError, Result};

/// A server for the commands of a [`Publisher`](crate::Publisher) or a
/// [`FailureSink`](crate::FailureSink).
///
/// Both also accept a URL or a redis-rs client. An `Endpoint` is for options that neither can express, for
/// a primary that [sentinels](Self::sentinel) name, and for the nodes of a [cluster](Self::cluster).
///
/// ```no_run
/// use redis_push::{Endpoint, Publisher, Tls};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tls = Tls::new().root_certificate(std::fs::read("ca.pem")?);
/// let publisher = Publisher::new(Endpoint::new("rediss://redis.internal:6380/").tls(tls))?;
/// # Ok(())
/// # }
/// ```
pub struct Endpoint {
    target: Target,
    options: Options,
}

/// How old a map of slots may be.
const DEFAULT_TOPOLOGY_INTERVAL: Duration = Duration::from_secs(5);

impl Endpoint {
    /// Creates an endpoint for a URL, in the forms that [`Subscriber::new`](crate::Subscriber::new)
    /// accepts.
    pub fn new(url: impl Into<String>) -> Self {
        Self::to(Target::Url(url.into()))
    }

    /// Creates an endpoint for the primary that sentinels know by a name, such as `mymaster`. The URLs are
    /// those of the sentinels.
    ///
    /// Each connection looks up the primary, and is replaced when the sentinels have replaced the primary.
    /// [`Subscriber::sentinel`](crate::Subscriber::sentinel) explains that.
    ///
    /// ```no_run
    /// use redis_push::{Credentials, Endpoint, Publisher};
    ///
    /// # fn main() -> redis_push::Result<()> {
    /// let sentinels = ["redis://10.0.0.1:26379/", "redis://10.0.0.2:26379/", "redis://10.0.0.3:26379/"];
    /// let primary = Endpoint::sentinel("mymaster", sentinels)
    ///     .credentials(|| async { Ok::<_, std::io::Error>(Credentials::new("quotes", "s3cret")) });
    /// let publisher = Publisher::new(primary)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn sentinel<U: Into<String>>(
        name: impl Into<String>,
        urls: impl IntoIterator<Item = U>,
    ) -> Self {
        let name = name.into();
        let urls = urls.into_iter().map(Into::into).collect();
        Self::to(Target::Sentinels { name, urls })
    }

    /// Creates an endpoint for the nodes of a Redis Cluster or a Valkey Cluster, of which these are some: one is
    /// enough to find the others. All are connected to with these options, or with the user and password of
    /// the first URL.
    ///
    /// What is published or written goes to the node that has the slot of the channel or the key.
    /// [`Publisher::cluster`](crate::Publisher::cluster) explains that.
    ///
    /// ```no_run
    /// use redis_push::{Credentials, Endpoint, FailureSink, Publisher};
    ///
    /// # fn main() -> redis_push::Result<()> {
    /// let nodes = || {
    ///     Endpoint::cluster(["redis://10.0.0.1/", "redis://10.0.0.2/"])
    ///         .credentials(|| async { Ok::<_, std::io::Error>(Credentials::new("quotes", "s3cret")) })
    /// };
    /// let publisher = Publisher::new(nodes())?;
    /// let sink = FailureSink::stream(nodes(), "failures", 10_000)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn cluster<U: Into<String>>(nodes: impl IntoIterator<Item = U>) -> Self {
        Self::to(Target::Cluster(nodes.into_iter().map(Into::into).collect()))
    }

    fn to(target: Target) -> Self {
        let options = Options::default();
        Self { target, options }
    }

    /// Sets the trusted roots and the client identity of a `rediss://` connection, like
    /// [`Subscriber::tls`](crate::Subscriber::tls).
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.options.tls = Some(tls);
        self
    }

    /// Sets a provider of the user name and the password, which is called before each attempt to
    /// connect, like [`Subscriber::credentials`](crate::Subscriber::credentials).
    #[must_use]
    pub fn credentials<F, R, E>(mut self, provider: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = std::result::Result<Credentials, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.options.credentials = Some(Provider::new(provider));
        self
    }

    /// Sets the name of each connection, like
    /// [`Subscriber::client_name`](crate::Subscriber::client_name).
    #[must_use]
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.options.client_name = Some(name.into());
        self
    }

    /// Sets the database, like [`Subscriber::database`](crate::Subscriber::database).
    #[must_use]
    pub fn database(mut self, index: i64) -> Self {
        self.options.database = Some(index);
        self
    }

    /// Sets a provider of the user name and the password for sentinels, like
    /// [`Subscriber::sentinel_credentials`](crate::Subscriber::sentinel_credentials).
    #[must_use]
    pub fn sentinel_credentials<F, R, E>(mut self, provider: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = std::result::Result<Credentials, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.options.sentinel_credentials = Some(Provider::new(provider));
        self
    }

    /// Sets how often sentinels are asked which server is the primary, like
    /// [`Subscriber::topology_interval`](crate::Subscriber::topology_interval). In a cluster, it is the age at which
    /// the map of slots is asked for again, in the background, when it is used. The default is 5 seconds.
    #[must_use]
    pub fn topology_interval(mut self, interval: Duration) -> Self {
        self.options.topology_interval = Some(interval);
        self
    }

    /// Sets where servers are reached whose addresses other servers tell, like
    /// [`Subscriber::address_map`](crate::Subscriber::address_map).
    #[must_use]
    pub fn address_map(
        mut self,
        map: impl Fn(&str, u16) -> Option<(String, u16)> + Send + Sync + 'static,
    ) -> Self {
        self.options.address_map = Some(AddressMap::new(map));
        self
    }

    /// Returns the endpoint at another URL, whose credentials apply. The name stays, and so does TLS if
    /// the URL asks for it.
    #[cfg(feature = "testing")]
    pub(crate) fn moved_to(self, url: &str) -> Self {
        let Options {
            tls, client_name, ..
        } = self.options;
        let options = Options {
            tls: tls.filter(|_| url.starts_with("rediss:")),
            client_name,
            ..Options::default()
        };
        Self {
            target: Target::Url(url.to_owned()),
            options,
        }
    }

    /// Returns where to connect to, for links. With `reads_socket`, this crate must do the TLS.
    pub(crate) fn into_servers(self, reads_socket: bool) -> Result<Servers> {
        self.target.into_servers(self.options, reads_socket)
    }

    /// Returns the one server, for a link. With `reads_socket`, this crate must do the TLS.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn into_destination(self, reads_socket: bool) -> Result<Destination> {
        self.target.into_destination(self.options, reads_socket)
    }

    /// Returns a connection for commands, or those to the nodes of a cluster, without pushes.
    pub(crate) fn into_commands(self) -> Result<CommandConnection> {
        let interval = self.options.topology_interval;
        Ok(match self.into_servers(false)? {
            Servers::One(to) => CommandConnection::Own(LazyConnection::new(to)),
            Servers::Cluster(seeds) => {
                let interval = interval.unwrap_or(DEFAULT_TOPOLOGY_INTERVAL);
                CommandConnection::Cluster(ClusterConnection::new(seeds, interval))
            }
        })
    }
}

impl From<&str> for Endpoint {
    fn from(url: &str) -> Self {
        Self::new(url)
    }
}

impl From<&String> for Endpoint {
    fn from(url: &String) -> Self {
        Self::new(url)
    }
}

impl From<String> for Endpoint {
    fn from(url: String) -> Self {
        Self::new(url)
    }
}

impl From<Client> for Endpoint {
    fn from(client: Client) -> Self {
        Self::to(Target::Client(Box::new(client)))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL may contain a password.
        f.debug_struct("Endpoint").finish_non_exhaustive()
    }
}
