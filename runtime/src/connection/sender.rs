//! What carries the commands of a connection.

use std::io;
use std::sync::Arc;

use redis::aio::{ConnectionManager, MultiplexedConnection};
use redis::{Cmd, Pipeline, RedisError, RedisResult, Value};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

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
            Self::Driven(connection, driver) => {
                let answer = connection.send_packed_command(command);
                driver.unless_ended(answer).await
            }
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
            Self::Driven(connection, driver) => {
                let answers = connection.send_packed_commands(commands, skipped, count);
                driver.unless_ended(answers).await
            }
        }
    }
}

/// The task that runs redis-rs over a stream that this crate has opened. Dropping this aborts the task.
pub(super) struct Driver {
    task: JoinHandle<()>,
    /// Cancelled when the task has ended, in any way.
    ended: CancellationToken,
}

impl Driver {
    pub(super) fn spawn(driver: impl Future<Output = ()> + Send + 'static) -> Self {
        let ended = CancellationToken::new();
        let guard = ended.clone().drop_guard();
        let task = tokio::spawn(async move {
            // Dropped after the driver, which ends the commands that it knows of.
            let _guard = guard;
            driver.await;
        });
        Self { task, ended }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Waits for the answer to a command, or for the end of the driver.
    ///
    /// A command that is queued in the moment in which the driver ends may stay in its queue: tokio's
    /// channel is emptied when its receiver is dropped, but a sender that had a place in it already can
    /// still use it. The answer to such a command would never come, not even as an error.
    async fn unless_ended<T>(
        &self,
        answer: impl Future<Output = RedisResult<T>>,
    ) -> RedisResult<T> {
        tokio::select! {
            biased;
            answer = answer => answer,
            () = self.ended.cancelled() => {
                Err(RedisError::from(io::Error::from(io::ErrorKind::BrokenPipe)))
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn a_command_that_no_driver_knows_of_ends_with_the_driver() {
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let driver = Driver::spawn(async { drop(ended.await) });
        let answer = driver.unless_ended(ready(Ok(1))).await;
        assert_eq!(answer, Ok(1));
        let waiting = driver.unless_ended(pending::<RedisResult<u8>>());
        let (answer, _) = tokio::join!(waiting, async { end.send(()) });
        assert!(answer.unwrap_err().is_connection_dropped());
        let aborted = Driver::spawn(pending());
        aborted.task.abort();
        let answer = aborted.unless_ended(pending::<RedisResult<u8>>()).await;
        assert!(answer.unwrap_err().is_connection_dropped());
    }
}
