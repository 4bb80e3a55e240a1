//! The server, and the start of a connection to it: greeting, timeout, name.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, RedisConnectionInfo,
    RedisError,
};

use super::Connection;
use super::address_map::AddressMap;
use super::connect_error::{SettingsFrom, refused};
use super::credentials::{Credentials, Provider};
use super::node_address::NodeAddress;
use super::reason::with_reason;
use super::tls::{self, Connector};
use crate::error::Error;
use crate::util::caught;

/// A server: its address, the user, and how to connect.
pub(crate) struct Server {
    pub(super) info: ConnectionInfo,
    /// `None` without TLS, and where redis-rs does the TLS.
    pub(super) tls: Option<Connector>,
    pub(super) credentials: Option<Provider>,
    pub(super) client_name: Option<String>,
    /// Where other servers are reached, of which this one or a sentinel tells the address.
    pub(super) address_map: Option<AddressMap>,
    /// What gave these settings.
    pub(super) from: SettingsFrom,
    /// Whether other servers have announced the address, and nobody has reached it yet.
    pub(super) is_unverified: AtomicBool,
}

const ANNOUNCED: &str = "; other servers announced this address: if it cannot be reached from here, set \
    `address_map`";

impl Server {
    pub(crate) fn address(&self) -> &ConnectionAddr {
        self.info.addr()
    }

    /// Returns another server with the same user and the same options.
    ///
    /// # Errors
    ///
    /// Returns an error if this one has no host, or if a certificate cannot contain the other host.
    pub(super) fn at(&self, address: &NodeAddress) -> Result<Self, Error> {
        let (host, port) = (address.host().to_owned(), address.port());
        let moved = match self.address() {
            ConnectionAddr::Tcp(..) => ConnectionAddr::Tcp(host, port),
            ConnectionAddr::TcpTls {
                insecure,
                tls_params,
                ..
            } => ConnectionAddr::TcpTls {
                host,
                port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            _ => {
                return Err(Error::config(
                    "several servers are not reached over one unix socket: use a `redis://` URL",
                ));
            }
        };
        let tls = self.tls.as_ref();
        Ok(Self {
            tls: tls
                .map(|tls| tls.at(address.host(), address.port()))
                .transpose()?,
            info: self.info.clone().set_addr(moved),
            credentials: self.credentials.clone(),
            client_name: self.client_name.clone(),
            address_map: self.address_map.clone(),
            from: self.from,
            is_unverified: AtomicBool::new(false),
        })
    }

    /// Returns another server that was told to be at an address, with the same user and the same options.
    ///
    /// # Errors
    ///
    /// Returns an error as [`at`](Self::at) does, and if the user's map of addresses fails.
    pub(super) fn announced(&self, address: &NodeAddress) -> Result<Self, Error> {
        match &self.address_map {
            Some(map) => self.at(&map.reached(address)?),
            None => self.at(address).map(Self::unverified),
        }
    }

    /// Returns the server, whose address other servers have announced.
    pub(super) fn unverified(self) -> Self {
        Self {
            is_unverified: true.into(),
            ..self
        }
    }

    /// Returns the address, if it has a host.
    pub(crate) fn node_address(&self) -> Option<NodeAddress> {
        match self.address() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                Some(NodeAddress::new(host, *port))
            }
            _ => None,
        }
    }

    /// Whether the user has chosen another database than the first.
    pub(crate) fn has_database(&self) -> bool {
        self.info.redis_settings().db() != 0
    }

    pub(crate) fn tls(&self) -> Option<&Connector> {
        self.tls.as_ref()
    }

    /// Returns a redis-rs client that sends this greeting.
    pub(crate) fn client(&self, greeting: &RedisConnectionInfo) -> Result<Client, Error> {
        let info = self.info.clone().set_redis_settings(greeting.clone());
        Client::open(info).map_err(|error| self.refused(Some(greeting), error))
    }

    /// Opens a connection for commands. Where redis-rs must do the TLS, its pushes go nowhere.
    pub(super) async fn open(
        &self,
        timeout: Duration,
        config: AsyncConnectionConfig,
    ) -> Result<Connection, Error> {
        let greeting = self.greeting(timeout).await?;
        if self.tls().is_none() && matches!(self.address(), ConnectionAddr::TcpTls { .. }) {
            return self.manage(&greeting, timeout, |config| config).await;
        }
        let stream = self.dial().await?;
        let config = config.set_response_timeout(None);
        let (connection, driver) =
            MultiplexedConnection::new_with_config(&greeting, stream, config)
                .await
                .map_err(|error| self.refused(Some(&greeting), error))?;
        Ok(Connection::driven(connection, driver))
    }

    /// Connects with a `ConnectionManager` whose own retries and response timeout are off: a timeout
    /// would fail a command and leave the connection as it is.
    pub(crate) async fn manage(
        &self,
        greeting: &RedisConnectionInfo,
        timeout: Duration,
        configure: impl FnOnce(ConnectionManagerConfig) -> ConnectionManagerConfig,
    ) -> Result<Connection, Error> {
        if matches!(self.address(), ConnectionAddr::TcpTls { .. }) {
            // Only redis-rs can read the certificates of its client, so it does the TLS.
            tls::prepare_redis_rs();
        }
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(None);
        let client = self.client(greeting)?;
        let connecting = ConnectionManager::new_with_config(client, configure(config));
        match caught(|| connecting).await {
            Some(Ok(manager)) => Ok(Connection::own(manager)),
            Some(Err(error)) => Err(self.refused(Some(greeting), error)),
            None => Err(Error::config(
                "redis-rs panicked while connecting; its own TLS needs a crypto provider for the \
                 process (`CryptoProvider::install_default`)",
            )),
        }
    }

    /// Returns the greeting for one attempt to connect, with credentials from the provider if there is
    /// one.
    pub(crate) async fn greeting(&self, timeout: Duration) -> Result<RedisConnectionInfo, Error> {
        let greeting = self.info.redis_settings().clone();
        let Some(provider) = &self.credentials else {
            return Ok(greeting);
        };
        let Credentials { username, password } = provider.ask(timeout).await?;
        Ok(greeting
            // `default` is the name that redis-rs sends if there is none. This overwrites the user
            // name of the URL.
            .set_username(username.as_deref().unwrap_or("default"))
            .set_password(password))
    }

    /// Waits for a connection, for at most `timeout`, and sets its name.
    pub(crate) async fn within(
        &self,
        timeout: Duration,
        connecting: impl Future<Output = Result<Connection, Error>>,
    ) -> Result<Connection, Error> {
        let named = async {
            let mut connection = match connecting.await {
                Ok(connection) => connection,
                Err(error) => return Err(with_reason(self.address(), self.hinted(error)).await),
            };
            self.is_unverified.store(false, Relaxed);
            if let Some(name) = &self.client_name {
                connection.set_name(name).await?;
            }
            Ok(connection)
        };
        let address = self.address();
        tokio::time::timeout(timeout, named)
            .await
            .unwrap_or_else(|_| {
                let hint = match address {
                    ConnectionAddr::TcpTls { .. } => "; check that this is its TLS port",
                    _ => "",
                };
                let silence = self.silence(timeout);
                Err(self.hinted(Error::connection(format!("{silence}{hint}"))))
            })
    }

    /// Adds what to do about an address at which nobody was reached yet.
    fn hinted(&self, error: Error) -> Error {
        let source = std::error::Error::source(&error);
        let source = source.and_then(|source| source.downcast_ref::<RedisError>());
        // A server that closes the connection was reached. Something else may have the same address here.
        let is_out_of_reach = source.is_none_or(|error| {
            let is_no_server = error.kind() == ErrorKind::Parse;
            let is_io = error.is_io_error() && !error.is_connection_dropped();
            error.is_connection_refusal() || is_io || is_no_server
        });
        if error.is_connection() && is_out_of_reach && self.is_unverified.load(Relaxed) {
            return error.in_words(|text| text + ANNOUNCED);
        }
        error
    }

    /// Returns the error text for a server that has not answered.
    pub(super) fn silence(&self, timeout: Duration) -> String {
        let address = self.address();
        format!("the server at {address} did not answer within {timeout:?}")
    }

    /// Returns the error for a failed attempt. `greeting` is what had been sent by then.
    pub(crate) fn refused(
        &self,
        greeting: Option<&RedisConnectionInfo>,
        error: RedisError,
    ) -> Error {
        refused(self.address(), self.from, self.tls(), greeting, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Destination, Endpoint};

    #[test]
    fn an_announced_address_that_something_else_has_is_one_to_map() {
        let known = Endpoint::new("redis://127.0.0.1:1/").into_destination(true);
        let Destination::Server(known) = known.unwrap() else {
            unreachable!("it has an address");
        };
        let announced = known.announced(&NodeAddress::new("10.0.0.1", 80)).unwrap();
        let text = |server: &Server, kind| {
            let error = RedisError::from((kind, "it says HTTP/1.1"));
            server.hinted(server.refused(None, error)).to_string()
        };
        let is_hinted = |text: &str| text.ends_with(ANNOUNCED);
        assert!(is_hinted(&text(&announced, ErrorKind::Parse)));
        assert!(!is_hinted(&text(&known, ErrorKind::Parse)));
        assert!(!is_hinted(&text(
            &announced,
            ErrorKind::AuthenticationFailed
        )));
    }
}
