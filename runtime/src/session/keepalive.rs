//! `PING`, and how silence is told from delay.

use std::pin::pin;

use tokio::time::{sleep, timeout};

use super::Session;
use crate::config::Settings;
use crate::connection::Connection;
use crate::error::Error;
use crate::util::clock;

/// How often it is looked for pushes while a `PING` waits for its answer, until its timeout.
const LOOKS: u32 = 16;

impl Session {
    /// Returns when the connection has been silent for longer than it may.
    pub(super) async fn keep_alive(&self, mut connection: Connection) -> Error {
        let Settings {
            ping_interval,
            ping_timeout,
            ..
        } = self.settings;
        loop {
            sleep(ping_interval).await;
            if let Err(error) = self.keep_tracking(&mut connection).await {
                return error;
            }
            let asked = clock::monotonic();
            let mut ping = pin!(connection.ping());
            let mut taken = self.dispatcher.pushes_taken();
            let mut heard = clock::now();
            loop {
                let left = ping_timeout.saturating_sub(clock::now() - heard);
                match timeout(left.min(ping_timeout / LOOKS), ping.as_mut()).await {
                    Ok(Ok(())) => {
                        self.heartbeat.answered(clock::monotonic() - asked);
                        break self.dispatcher.heard();
                    }
                    Ok(Err(error)) => return error,
                    // The answer stands behind pushes that are still being taken, or that wait for
                    // a full ring: silence is what comes after the last of them.
                    Err(_)
                        if self.dispatcher.is_waiting()
                            || taken != self.dispatcher.pushes_taken() =>
                    {
                        taken = self.dispatcher.pushes_taken();
                        self.heartbeat.still_taking();
                        heard = clock::now();
                    }
                    Err(_) if clock::now() - heard < ping_timeout => {}
                    Err(_) => {
                        return Error::connection(format!(
                            "the server has said nothing for {ping_timeout:?} after a `PING`"
                        ));
                    }
                }
            }
        }
    }
}
