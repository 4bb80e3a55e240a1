//! `PING`, and how silence is distinguished from delay.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::Session;
use crate::config::Settings;
use crate::connection::Connection;
use crate::error::Error;
use crate::util::clock;

/// How often the arrival of pushes is checked during the wait for one reply.
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
            let pinging = connection.ping(clock::wall());
            match self.unless_silent(ping_timeout, pinging).await {
                Some(Ok(pong)) => {
                    self.heartbeat.answered(clock::monotonic() - sent);
                    if let Some(until) = pong.complete_until {
                        self.dispatcher.set_fence(until);
                    }
                }
                Some(Err(error)) => return error,
                None => {
                    return Error::connection(format!(
                        "the server has sent nothing for {ping_timeout:?} after a `PING`"
                    ));
                }
            }
        }
    }

    /// Waits for a reply. Returns `None` if the server has been silent for `limit`.
    ///
    /// The reply comes after pushes that are still arriving, or that wait for room in a full buffer.
    /// The silence begins after the last of them.
    pub(super) async fn unless_silent<T>(
        &self,
        limit: Duration,
        replying: impl Future<Output = T>,
    ) -> Option<T> {
        let mut replying = pin!(replying);
        let mut pushes = self.dispatcher.pushes_taken();
        let mut heard = clock::now();
        loop {
            let left = limit.saturating_sub(clock::now() - heard);
            let check = left.min(limit / CHECKS);
            let before = clock::now();
            if let Ok(reply) = timeout(check, replying.as_mut()).await {
                return Some(reply);
            }
            let now = clock::now();
            let has_arrived = pushes != self.dispatcher.pushes_taken();
            if self.dispatcher.is_waiting() || has_arrived {
                pushes = self.dispatcher.pushes_taken();
                self.heartbeat.pushes_arrive();
                heard = now;
            } else if (now - before).saturating_sub(check) >= limit / 2 {
                // This process stood still, not the server. What has arrived in the meantime waits in
                // the socket, and is read in the next moments.
                heard = now;
            } else if now - heard >= limit {
                return None;
            }
        }
    }
}
