//! The task that runs redis-rs over a stream that this crate has opened.

use std::sync::Arc;

use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Attempt;
use crate::connection::Connection;
use crate::dispatch::Dispatcher;
use crate::error::Error;
use crate::push::Generation;

/// Makes redis-rs greet the server over a stream, and drives the connection until its last clone is
/// dropped.
pub(super) async fn greet(
    attempt: Attempt<'_>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    config: AsyncConnectionConfig,
) -> Result<Connection, Error> {
    let Attempt {
        server,
        greeting,
        generation,
        dispatcher,
    } = attempt;
    // The session has its own timeouts.
    let config = config.set_response_timeout(None);
    let (connection, driver) = MultiplexedConnection::new_with_config(greeting, stream, config)
        .await
        .map_err(|error| server.refused(Some(greeting), error))?;
    let driver = drive(driver, Arc::clone(dispatcher), generation);
    Ok(Connection::driven(connection, driver))
}

/// Runs the driver, and notifies the dispatcher when the task ends.
fn drive(
    driver: impl Future<Output = ()> + Send + 'static,
    dispatcher: Arc<Dispatcher>,
    generation: Generation,
) -> impl Future<Output = ()> + Send + 'static {
    let guard = DisconnectGuard {
        dispatcher,
        generation,
    };
    async move {
        let _guard = guard;
        driver.await;
    }
}

/// Notifies the dispatcher of the end of the connection when it is dropped: the driver may return,
/// panic or be aborted.
struct DisconnectGuard {
    dispatcher: Arc<Dispatcher>,
    generation: Generation,
}

impl Drop for DisconnectGuard {
    fn drop(&mut self) {
        self.dispatcher.disconnected(self.generation);
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinHandle;

    use super::*;
    use crate::config::Settings;
    use crate::dispatch::RoutingTable;
    use crate::push::NodeId;

    /// Returns a dispatcher, and the task that drives its connection.
    fn driven(
        driver: impl Future<Output = ()> + Send + 'static,
    ) -> (Arc<Dispatcher>, JoinHandle<()>) {
        let dispatcher = Arc::new(Dispatcher::new(
            RoutingTable::default(),
            &Settings::default(),
        ));
        dispatcher.open(1.into());
        let driver = tokio::spawn(drive(driver, Arc::clone(&dispatcher), 1.into()));
        assert!(dispatcher.is_open(NodeId::FIRST));
        (dispatcher, driver)
    }

    #[tokio::test]
    async fn the_dispatcher_is_notified_of_a_driver_that_returns_panics_or_is_aborted() {
        let (dispatcher, driver) = driven(async {});
        driver.await.unwrap();
        assert!(!dispatcher.is_open(NodeId::FIRST));
        let (dispatcher, driver) = driven(async { panic!("a test has requested this panic") });
        driver.await.unwrap_err();
        assert!(!dispatcher.is_open(NodeId::FIRST));
        let (dispatcher, driver) = driven(std::future::pending());
        driver.abort();
        driver.await.unwrap_err();
        assert!(!dispatcher.is_open(NodeId::FIRST));
    }
}
