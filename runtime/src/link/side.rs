use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::{AsyncConnectionConfig, ConnectionAddr, Pipeline, RedisError, Value};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::connection::Connection;
use super::server::Server;
use super::tls;
use crate::error::Error;

/// A connection beside the link, for commands only. It is made with the first of them, and anew
/// with the next one after it was lost. Commands of several callers go over it together.
pub(crate) struct Side {
    server: Arc<Server>,
    kept: Mutex<Option<Connection>>,
}

/// Why commands were not carried out, as far as is known.
pub(crate) enum NotDone {
    /// There is no connection: nothing was sent.
    NotSent(Error),
    /// The server says no.
    Refused(RedisError),
    /// They were sent, or a part of them, and no answer came.
    Unknown(Error),
}

impl Side {
    pub(super) fn new(server: Arc<Server>) -> Self {
        let kept = Mutex::new(None);
        Self { server, kept }
    }

    /// Sends commands in one write, and returns the last `count` of the server's replies; those
    /// before them are `skipped`.
    pub(crate) async fn send(
        &self,
        commands: &Pipeline,
        (skipped, count): (usize, usize),
        within: Duration,
    ) -> Result<Vec<Value>, NotDone> {
        let mut connection = self.connection(within).await.map_err(NotDone::NotSent)?;
        let sent = timeout(within, connection.send_all(commands, skipped, count)).await;
        let replies = match sent {
            Ok(Ok(replies)) => replies,
            Ok(Err(error)) if error.code().is_some() => return Err(NotDone::Refused(error)),
            Ok(Err(error)) => {
                self.give_up(&connection).await;
                let text = format!("the connection was lost before the answer: {error}");
                return Err(NotDone::Unknown(Error::connection(text).caused_by(error)));
            }
            Err(_) => {
                self.give_up(&connection).await;
                let text = format!("the server did not answer within {within:?}");
                return Err(NotDone::Unknown(Error::timeout(text)));
            }
        };
        let replies = replies.into_iter().map(Value::extract_error);
        replies.collect::<Result<_, _>>().map_err(NotDone::Refused)
    }

    /// The connection that is up, or a new one; who comes meanwhile waits for that one too.
    async fn connection(&self, within: Duration) -> Result<Connection, Error> {
        let mut kept = self.kept.lock().await;
        if let Some(connection) = kept.as_ref().filter(|kept| kept.is_up()) {
            return Ok(connection.clone());
        }
        *kept = None;
        let connection = self.server.within(within, self.connect(within)).await?;
        Ok(kept.insert(connection).clone())
    }

    async fn connect(&self, within: Duration) -> Result<Connection, Error> {
        let server = &self.server;
        let greeting = server.greeting(within).await?;
        let refused = |error| server.refused(Some(&greeting), error);
        if server.tls().is_none() && matches!(server.address(), ConnectionAddr::TcpTls { .. }) {
            // What its client was given for TLS only redis-rs can read.
            tls::prepare_redis_rs();
            let config = ConnectionManagerConfig::new()
                .set_number_of_retries(0)
                .set_connection_timeout(Some(within))
                .set_response_timeout(None);
            let client = server.client(&greeting)?;
            let manager = ConnectionManager::new_with_config(client, config).await;
            return manager.map(Connection::own).map_err(refused);
        }
        let stream = server.dial().await?;
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let (connection, driver) =
            MultiplexedConnection::new_with_config(&greeting, stream, config)
                .await
                .map_err(refused)?;
        Ok(Connection::driven(connection, tokio::spawn(driver)))
    }

    /// Lets the next command have another connection than this one.
    async fn give_up(&self, lost: &Connection) {
        let mut kept = self.kept.lock().await;
        if kept.as_ref().is_some_and(|kept| kept.is(lost)) {
            *kept = None;
        }
    }
}
