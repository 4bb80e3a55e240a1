//! What carries the commands of a connection.

use std::sync::Arc;

use redis::aio::{ConnectionManager, MultiplexedConnection};
use redis::{Cmd, Pipeline, RedisResult, Value};
use tokio::task::JoinHandle;

/// What the commands of a connection are sent over.
#[derive(Clone)]
pub(super) enum Sender {
    Manager(ConnectionManager),
    Driven(
        MultiplexedConnection,
        // Aborted when the last clone is dropped.
        Arc<Driver>,
    ),
}

impl Sender {
    pub(super) async fn send(&mut self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Manager(manager) => manager.send_packed_command(command).await,
            Self::Driven(connection, _) => connection.send_packed_command(command).await,
        }
    }

    pub(super) async fn send_all(
        &mut self,
        commands: &Pipeline,
        skipped: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        match self {
            Self::Manager(manager) => manager.send_packed_commands(commands, skipped, count).await,
            Self::Driven(connection, _) => {
                connection
                    .send_packed_commands(commands, skipped, count)
                    .await
            }
        }
    }
}

/// The task that runs redis-rs over a stream that this crate has opened. Dropping this aborts the task.
pub(super) struct Driver(pub(super) JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}
