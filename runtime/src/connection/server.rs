use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ConnectionAddr, ConnectionInfo, RedisConnectionInfo, RedisError};

use super::Connection;
use super::connect_error::refused;
use super::credentials::{Credentials, Provider};
use super::tls::{self, Connector};
use crate::error::Error;
use crate::util::caught;

/// A server: where it is, what one says to it first, and as whom.
pub(crate) struct Server {
    pub(super) info: ConnectionInfo,
    /// `None` where there is no TLS, or where redis-rs is to do it.
    pub(super) tls: Option<Connector>,
    pub(super) credentials: Option<Provider>,
    pub(super) client_name: Option<String>,
}

impl Server {
    pub(crate) fn address(&self) -> &ConnectionAddr {
        self.info.addr()
    }

    pub(crate) fn tls(&self) -> Option<&Connector> {
        self.tls.as_ref()
    }

    /// A client of redis-rs that says this greeting.
    pub(crate) fn client(&self, greeting: &RedisConnectionInfo) -> Result<Client, Error> {
        let info = self.info.clone().set_redis_settings(greeting.clone());
        Client::open(info).map_err(|error| self.refused(Some(greeting), error))
    }

    /// Connects by a `ConnectionManager`, without retries and timeouts of its own: one that fails a
    /// command would leave the connection as it is.
    pub(crate) async fn manage(
        &self,
        greeting: &RedisConnectionInfo,
        timeout: Duration,
        configure: impl FnOnce(ConnectionManagerConfig) -> ConnectionManagerConfig,
    ) -> Result<Connection, Error> {
        if matches!(self.address(), ConnectionAddr::TcpTls { .. }) {
            // What its client was given for TLS, only redis-rs can read.
            tls::prepare_redis_rs();
        }
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(None);
        let client = self.client(greeting)?;
        let connecting = ConnectionManager::new_with_config(client, configure(config));
        match caught(connecting).await {
            Some(Ok(manager)) => Ok(Connection::own(manager)),
            Some(Err(error)) => Err(self.refused(Some(greeting), error)),
            None => Err(Error::config(
                "redis-rs panicked while it connected; for TLS of its own it needs a crypto \
                 provider of the process (`CryptoProvider::install_default`)",
            )),
        }
    }

    /// What one attempt to connect says first, with the credentials of the moment.
    pub(crate) async fn greeting(&self, timeout: Duration) -> Result<RedisConnectionInfo, Error> {
        let greeting = self.info.redis_settings().clone();
        let Some(provider) = &self.credentials else {
            return Ok(greeting);
        };
        let Credentials { username, password } = provider.ask(timeout).await?;
        Ok(greeting
            // What redis-rs says where there is no name. One of the URL must not stay.
            .set_username(username.as_deref().unwrap_or("default"))
            .set_password(password))
    }

    /// Brings a connection about within the time there is for it, and names it.
    pub(crate) async fn within(
        &self,
        timeout: Duration,
        connecting: impl Future<Output = Result<Connection, Error>>,
    ) -> Result<Connection, Error> {
        let named = async {
            let mut connection = connecting.await?;
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
                    ConnectionAddr::TcpTls { .. } => "; is it the port for TLS?",
                    _ => "",
                };
                let silence = self.silence(timeout);
                Err(Error::connection(format!("{silence}{hint}")))
            })
    }

    /// Says that no answer has come.
    pub(super) fn silence(&self, timeout: Duration) -> String {
        let address = self.address();
        format!("the server at {address} did not answer within {timeout:?}")
    }

    /// Why there is no connection. A `greeting` is what had been said by then.
    pub(crate) fn refused(
        &self,
        greeting: Option<&RedisConnectionInfo>,
        error: RedisError,
    ) -> Error {
        refused(self, greeting, error)
    }
}
