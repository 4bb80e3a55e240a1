//! `PING`, and how silence is distinguished from delay.

use std::pin::pin;

use tokio::time::{sleep, timeout};

use super::Session;
use crate::config::Settings;
use crate::connection::Connection;
use crate::error::Error;
use crate::util::clock;

/// How often the arrival of pushes is checked during the timeout of one `PING`.
const CHECKS: u32 = 16;

impl Session {
    /// Sends a `PING` at each interval. Returns when the connection is lost, or has been silent for
    /// `ping_timeout`.
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
            let sent = clock::monotonic();
            let mut ping = pin!(connection.ping());
            let mut pushes = self.dispatcher.pushes_taken();
            let mut heard = clock::now();
            loop {
                let left = ping_timeout.saturating_sub(clock::now() - heard);
                match timeout(left.min(ping_timeout / CHECKS), ping.as_mut()).await {
                    Ok(Ok(())) => {
                        self.heartbeat.answered(clock::monotonic() - sent);
                        break self.dispatcher.heard();
                    }
                    Ok(Err(error)) => return error,
                    // The answer comes after pushes that are still arriving, or that wait for room
                    // in a full buffer. Silence begins after the last of them.
                    Err(_)
                        if self.dispatcher.is_waiting()
                            || pushes != self.dispatcher.pushes_taken() =>
                    {
                        pushes = self.dispatcher.pushes_taken();
                        self.heartbeat.pushes_arrive();
                        heard = clock::now();
                    }
                    Err(_) if clock::now() - heard < ping_timeout => {}
                    Err(_) => {
                        return Error::connection(format!(
                            "the server has sent nothing for {ping_timeout:?} after a `PING`"
                        ));
                    }
                }
            }
        }
    }
}
