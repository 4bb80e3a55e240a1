//! From a URL or a client of redis-rs, and the options beside it, to a [`Server`].

use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};

use super::credentials::Provider;
use super::server::Server;
use super::stream::tcp_settings;
use super::tls::{self, Connector, Tls};
use crate::error::Error;

/// Which server to connect to.
pub(super) enum Target {
    Url(String),
    Client(Box<Client>),
}

/// How to connect to it.
#[derive(Default)]
pub(super) struct Options {
    pub(super) tls: Option<Tls>,
    pub(super) credentials: Option<Provider>,
    pub(super) client_name: Option<String>,
}

impl Target {
    /// Checks the target and the options. With `reads_socket`, TLS must be done by this crate.
    ///
    /// # Errors
    ///
    /// When the URL does not parse, or asks for what is not possible.
    pub(super) fn into_server(self, options: Options, reads_socket: bool) -> Result<Server, Error> {
        let info = match self {
            Self::Url(url) => info_of(&url)?,
            Self::Client(client) => client.get_connection_info().clone(),
        };
        server(prepare(info), options, reads_socket)
    }
}

fn server(info: ConnectionInfo, options: Options, reads_socket: bool) -> Result<Server, Error> {
    if let Some(name) = &options.client_name
        && (name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()))
    {
        return Err(Error::config(format!(
            "the server would refuse the client name {name:?}: it takes visible ASCII characters, \
             and no spaces"
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
    })
}

/// TLS of ours, or `None` where redis-rs is to do it: what its client was given cannot be read.
fn connector(
    address: &ConnectionAddr,
    ours: Option<&Tls>,
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
    if *insecure && !ours.is_some_and(|tls| tls.accepts_any) {
        return Err(Error::config(
            "`#insecure` would take any certificate, whosesoever: give the server's authority to \
             `Tls::root_certificate`, or say `Tls::danger_accept_any_certificate` if it must be",
        ));
    }
    let has_theirs = tls_params.is_some();
    let usual = Tls::new();
    match ours.or((!has_theirs && tls::IS_BUILT_IN).then_some(&usual)) {
        Some(tls) => Connector::new(tls, host, *port).map(Some),
        None if !reads_socket => Ok(None),
        None if has_theirs => Err(Error::config(
            "the wire link cannot read the certificates that the redis-rs client was given; give \
             them to `Subscriber::tls`",
        )),
        None => Err(Error::config(tls::NOT_BUILT_IN)),
    }
}

fn info_of(url: &str) -> Result<ConnectionInfo, Error> {
    // A URL may hold a password: none of it goes into an error.
    let parsed = redis::parse_redis_url(url).ok_or_else(|| {
        Error::config(
            "the server's URL is not one; it looks like `redis://[user:password@]host:port/[db]`",
        )
    })?;
    let is_tls = matches!(parsed.scheme(), "rediss" | "valkeys");
    let is_insecure = is_tls && parsed.fragment() == Some("insecure");
    // An unescaped `#`, `/` or `?` in a password makes a part of it look like a host or a path,
    // which errors would print.
    let looks_cut = (parsed.fragment().is_some() && !is_insecure)
        || parsed.path().contains('@')
        || parsed.query().is_some_and(|query| query.contains('@'));
    if looks_cut && !parsed.scheme().contains("unix") {
        return Err(Error::config(
            "the server's URL has a character in its password that must be percent-encoded, such \
             as `%23` for `#` or `%40` for `@`",
        ));
    }
    let asks_for_resp2 = parsed
        .query_pairs()
        .any(|(key, value)| key == "protocol" && matches!(&*value, "2" | "resp2"));
    if asks_for_resp2 {
        return Err(Error::config(
            "the server's URL asks for `protocol=resp2`, which has no pushes; leave it out, RESP3 \
             is switched on here",
        ));
    }
    if is_tls && !tls::IS_BUILT_IN {
        return Err(Error::config(tls::NOT_BUILT_IN));
    }
    parsed.into_connection_info().map_err(|error| {
        let problem = error.to_string();
        Error::config(format!("the server's URL cannot be used: {problem}"))
    })
}

/// Sets what every connection of ours needs and redis-rs leaves off.
fn prepare(info: ConnectionInfo) -> ConnectionInfo {
    let settings = info
        .redis_settings()
        .clone()
        .set_protocol(ProtocolVersion::RESP3);
    info.set_redis_settings(settings)
        .set_tcp_settings(tcp_settings())
}
