//! From a URL, a redis-rs client or sentinels, and options, to a [`Destination`]. All checks of them are
//! here.

use std::sync::Arc;
use std::time::Duration;

use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};

use super::address_map::AddressMap;
use super::cluster::Seeds;
use super::connect_error::SettingsFrom;
use super::credentials::Provider;
use super::destination::Destination;
use super::node_address::NodeAddress;
use super::sentinel::Sentinels;
use super::server::Server;
use super::stream::tcp_settings;
use super::tls::{self, Connector, Tls};
use crate::error::Error;

/// The server to connect to.
pub(super) enum Target {
    Url(String),
    Client(Box<Client>),
    /// The primary that these sentinels name.
    Sentinels {
        name: String,
        urls: Vec<String>,
    },
    /// The nodes of a cluster, of which these are some.
    Cluster(Vec<String>),
}

/// Where a target leads to.
pub(crate) enum Servers {
    One(Destination),
    Cluster(Seeds),
}

/// The options of a connection.
#[derive(Clone, Default)]
pub(super) struct Options {
    pub(super) tls: Option<Tls>,
    pub(super) credentials: Option<Provider>,
    pub(super) client_name: Option<String>,
    /// The database, instead of that of the URL.
    pub(super) database: Option<i64>,
    /// The credentials for the sentinels.
    pub(super) sentinel_credentials: Option<Provider>,
    /// How often sentinels are asked.
    pub(super) topology_interval: Option<Duration>,
    /// Where servers are reached whose addresses others tell.
    pub(super) address_map: Option<AddressMap>,
}

impl Target {
    /// Checks the target and the options. With `reads_socket`, this crate must do the TLS; in a cluster, it
    /// does.
    ///
    /// # Errors
    ///
    /// Returns an error as [`into_destination`](Self::into_destination) does, and if something is not possible
    /// in a cluster.
    pub(super) fn into_servers(
        self,
        options: Options,
        reads_socket: bool,
    ) -> Result<Servers, Error> {
        match self {
            Self::Cluster(urls) => Seeds::new(&urls, options).map(Servers::Cluster),
            one => one
                .into_destination(options, reads_socket)
                .map(Servers::One),
        }
    }

    /// Checks the target and the options. With `reads_socket`, this crate must do the TLS.
    ///
    /// # Errors
    ///
    /// Returns an error if a URL does not parse, or if it or an option requires something that is not
    /// possible.
    pub(super) fn into_destination(
        self,
        options: Options,
        reads_socket: bool,
    ) -> Result<Destination, Error> {
        let info = match self {
            Self::Url(url) => info_of(&url)?,
            Self::Client(client) => client.get_connection_info().clone(),
            Self::Sentinels { name, urls } => {
                let sentinels = Sentinels::new(name, &urls, options)?;
                return Ok(Destination::Primary(Arc::new(sentinels)));
            }
            Self::Cluster(_) => {
                return Err(Error::config(
                    "a cluster has several nodes, and here is one server: use the URL of one node",
                ));
            }
        };
        if options.sentinel_credentials.is_some() {
            return Err(Error::config(
                "`sentinel_credentials` are for sentinels: make the subscriber or the endpoint with \
                 `sentinel`, or use `credentials`",
            ));
        }
        let server = server(info, options, SettingsFrom::Url, reads_socket)?;
        Ok(Destination::Server(Arc::new(server)))
    }
}

/// Returns one of several sentinels.
///
/// # Errors
///
/// Returns an error if the URL does not parse, or if it or an option requires something that is not
/// possible.
pub(super) fn sentinel(url: &str, options: &Options) -> Result<Server, Error> {
    let info = info_of(url)?;
    if info.redis_settings().db() != 0 {
        return Err(Error::config(
            "the URL of a sentinel has a database, and sentinels have none: remove it from the URL; \
             `database` sets that of the server",
        ));
    }
    let is_tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
    let options = Options {
        tls: options.tls.clone().filter(|_| is_tls),
        credentials: options.sentinel_credentials.clone(),
        ..Options::default()
    };
    server(info, options, SettingsFrom::SentinelUrl, true)
}

/// Returns a server that sentinels have named.
///
/// # Errors
///
/// Returns an error if an option requires something that is not possible.
pub(super) fn named_server(
    address: &NodeAddress,
    options: &Options,
    is_tls: bool,
) -> Result<Server, Error> {
    let mapped = options.address_map.as_ref();
    let mapped = mapped.map(|map| map.reached(address)).transpose()?;
    let address = mapped.as_ref().unwrap_or(address);
    let (host, port) = (address.host().to_owned(), address.port());
    let address = if is_tls {
        ConnectionAddr::TcpTls {
            host,
            port,
            insecure: options.tls.as_ref().is_some_and(|tls| tls.accepts_any),
            tls_params: None,
        }
    } else {
        ConnectionAddr::Tcp(host, port)
    };
    let info = address
        .into_connection_info()
        .map_err(|error| Error::config(format!("the server's address cannot be used: {error}")))?;
    let server = server(info, options.clone(), SettingsFrom::Options, true)?;
    Ok(if mapped.is_none() {
        server.unverified()
    } else {
        server
    })
}

fn server(
    info: ConnectionInfo,
    options: Options,
    from: SettingsFrom,
    reads_socket: bool,
) -> Result<Server, Error> {
    let info = prepare(info, options.database);
    if let Some(name) = &options.client_name
        && (name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()))
    {
        return Err(Error::config(format!(
            "invalid client name {name:?}: the server accepts only visible ASCII characters, \
             without spaces"
        )));
    }
    let is_tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
    if options.tls.is_some() && !is_tls {
        return Err(Error::config(
            "`Subscriber::tls` needs a URL that begins with `rediss://`: with this one, nothing \
             would be encrypted",
        ));
    }
    Ok(Server {
        tls: connector(info.addr(), options.tls.as_ref(), reads_socket)?,
        info,
        credentials: options.credentials,
        client_name: options.client_name,
        address_map: options.address_map,
        from,
        is_unverified: false.into(),
    })
}

/// Returns this crate's TLS. Returns `None` without TLS, and where redis-rs must do the TLS because the
/// certificates of its client cannot be read.
fn connector(
    address: &ConnectionAddr,
    tls_options: Option<&Tls>,
    reads_socket: bool,
) -> Result<Option<Connector>, Error> {
    let ConnectionAddr::TcpTls {
        host,
        port,
        insecure,
        tls_params,
    } = address
    else {
        return Ok(None);
    };
    if *insecure && !tls_options.is_some_and(|tls| tls.accepts_any) {
        return Err(Error::config(
            "`#insecure` would accept any certificate, of any server: pass the certificate of the \
             server's authority to `Tls::root_certificate`, or call \
             `Tls::danger_accept_any_certificate` if this is what you want",
        ));
    }
    let has_client_certificates = tls_params.is_some();
    let default = Tls::new();
    match tls_options.or((!has_client_certificates && tls::IS_BUILT_IN).then_some(&default)) {
        Some(tls) => Connector::new(tls, host, *port).map(Some),
        None if !reads_socket => Ok(None),
        None if has_client_certificates => Err(Error::config(
            "the wire link cannot read the certificates of the redis-rs client; pass them to \
             `Subscriber::tls`",
        )),
        None => Err(Error::config(tls::NOT_BUILT_IN)),
    }
}

fn info_of(url: &str) -> Result<ConnectionInfo, Error> {
    // A URL may contain a password, so no part of it goes into an error.
    let parsed = redis::parse_redis_url(url).ok_or_else(malformed)?;
    let is_tls = matches!(parsed.scheme(), "rediss" | "valkeys");
    let is_insecure = is_tls && parsed.fragment() == Some("insecure");
    // An unescaped `#`, `/` or `?` in a password makes a part of the password look like a host or a
    // path, which errors would print.
    let looks_cut = (parsed.fragment().is_some() && !is_insecure)
        || parsed.path().contains('@')
        || parsed.query().is_some_and(|query| query.contains('@'));
    if looks_cut && !parsed.scheme().contains("unix") {
        return Err(Error::config(
            "the password in the server's URL contains a character that must be percent-encoded, \
             such as `%23` for `#` or `%40` for `@`",
        ));
    }
    let requires_resp2 = parsed
        .query_pairs()
        .any(|(key, value)| key == "protocol" && matches!(&*value, "2" | "resp2"));
    if requires_resp2 {
        return Err(Error::config(
            "the server's URL requires `protocol=resp2`, which has no pushes; remove that: RESP3 is \
             switched on automatically",
        ));
    }
    if is_tls && !tls::IS_BUILT_IN {
        return Err(Error::config(tls::NOT_BUILT_IN));
    }
    let has_no_host = parsed.host_str().is_none_or(str::is_empty);
    if has_no_host && !parsed.scheme().contains("unix") {
        return Err(malformed());
    }
    parsed.into_connection_info().map_err(|error| {
        let text = error.to_string();
        // The kind of redis-rs says nothing to a user.
        let reason = text.trim_end_matches(" - InvalidClientConfig");
        Error::config(format!("the server's URL cannot be used: {reason}"))
    })
}

/// Says which of several URLs an error is about. It does not quote the URL, which may contain a password.
pub(super) fn of_several(error: Error, at: usize, of: usize) -> Error {
    match of {
        1 => error,
        _ => error.in_words(|text| format!("URL {} of {of}: {text}", at + 1)),
    }
}

fn malformed() -> Error {
    Error::config(
        "the server's URL does not parse; it must look like \
         `redis://[user:password@]host:port/[db]`, and special characters in the user name and the \
         password must be percent-encoded, such as `%23` for `#`",
    )
}

/// Sets the database, and the options that every connection of this crate needs and that redis-rs leaves
/// off.
fn prepare(info: ConnectionInfo, database: Option<i64>) -> ConnectionInfo {
    let mut settings = info
        .redis_settings()
        .clone()
        .set_protocol(ProtocolVersion::RESP3);
    if let Some(database) = database {
        settings = settings.set_db(database);
    }
    info.set_redis_settings(settings)
        .set_tcp_settings(tcp_settings())
}
