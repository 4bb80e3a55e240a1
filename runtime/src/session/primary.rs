//! Whether the server still is the primary, where sentinels have named it.
//!
//! A primary that was replaced keeps the connections of its subscribers for seconds: they stay, answer, and
//! receive nothing.

use std::future::pending;

use tokio::time::sleep;

use super::Session;
use crate::connection::{Connection, Primary};
use crate::error::Error;

impl Session {
    /// Returns when a sentinel knows of a newer failover to another server, or when the server says that it
    /// is not the primary any more. Without sentinels this never returns.
    pub(super) async fn keep_to_the_primary(&self, mut connection: Connection) -> Error {
        let Some(primary) = connection.primary().cloned() else {
            return pending().await;
        };
        tokio::select! {
            error = primary.replaced() => error,
            error = self.keep_checking(&primary, &mut connection) => error,
        }
    }

    /// Asks the server for its role as often as it is pinged.
    async fn keep_checking(&self, primary: &Primary, connection: &mut Connection) -> Error {
        loop {
            sleep(self.settings.ping_interval).await;
            let checking = primary.check(connection);
            // The `PING` notices a server that is silent.
            let checked = self
                .unless_silent(self.settings.ping_timeout, checking)
                .await;
            if let Some(Err(error)) = checked {
                return error;
            }
        }
    }
}
