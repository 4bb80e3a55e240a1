//! The task that reads and writes a connection over a stream of ours.

use std::sync::Arc;

use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

use super::Attempt;
use crate::connection::Connection;
use crate::dispatch::Dispatcher;
use crate::error::Error;

/// Lets redis-rs greet the server over a stream, and drives the connection while somebody holds
/// it.
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
    // The session has timeouts of its own.
    let config = config.set_response_timeout(None);
    let (connection, driver) = MultiplexedConnection::new_with_config(greeting, stream, config)
        .await
        .map_err(|error| server.refused(Some(greeting), error))?;
    let driver = drive(driver, Arc::clone(dispatcher), generation);
    Ok(Connection::driven(connection, driver))
}

/// Runs the driver on a task of its own, and tells the dispatcher when that has ended.
fn drive(
    driver: impl Future<Output = ()> + Send + 'static,
    dispatcher: Arc<Dispatcher>,
    generation: u64,
) -> JoinHandle<()> {
    let end = End {
        dispatcher,
        generation,
    };
    tokio::spawn(async move {
        let _end = end;
        driver.await;
    })
}

/// Tells the dispatcher that the connection has ended, in whatever way its driver did.
struct End {
    dispatcher: Arc<Dispatcher>,
    generation: u64,
}

impl Drop for End {
    fn drop(&mut self) {
        self.dispatcher.disconnected(self.generation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::dispatch::RoutingTable;

    /// A dispatcher with a connection that this drives.
    fn driven(
        driver: impl Future<Output = ()> + Send + 'static,
    ) -> (Arc<Dispatcher>, JoinHandle<()>) {
        let dispatcher = Arc::new(Dispatcher::new(
            RoutingTable::default(),
            &Settings::default(),
        ));
        dispatcher.open(1);
        let driver = drive(driver, Arc::clone(&dispatcher), 1);
        assert!(dispatcher.is_open());
        (dispatcher, driver)
    }

    #[tokio::test]
    async fn the_dispatcher_learns_of_a_driver_that_returns_panics_or_is_aborted() {
        let (dispatcher, driver) = driven(async {});
        driver.await.unwrap();
        assert!(!dispatcher.is_open());
        let (dispatcher, driver) = driven(async { panic!("a test has asked for this panic") });
        driver.await.unwrap_err();
        assert!(!dispatcher.is_open());
        let (dispatcher, driver) = driven(std::future::pending());
        driver.abort();
        driver.await.unwrap_err();
        assert!(!dispatcher.is_open());
    }
}
