//! `PING`, and how silence is distinguished from delay.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::{REPLY_TIMEOUT, Session};
use crate::connection::{Connection, Setting};
use crate::error::Error;
use crate::util::clock;

/// How often the arrival of pushes is checked during the wait for one reply.
const CHECKS: u32 = 16;

impl Session {
    /// Sends a `PING` at each interval. Returns when the connection is lost, or has been silent for
    /// `ping_timeout`.
    pub(super) async fn keep_alive(&self, mut connection: Connection) -> Error {
        let ping_timeout = self.settings.ping_timeout;
        let ping_interval = match self.ping_interval(&mut connection).await {
            Ok(interval) => interval,
            Err(error) => return error,
        };
        loop {
            sleep(ping_interval).await;
            if let Err(error) = self.keep_tracking(&mut connection).await {
                return error;
            }
            let sent = clock::monotonic();
            let with_shards =
                connection.is_shared() && self.dispatcher.has_confirmed_shards(self.node);
            let now = clock::wall();
            if connection.pings_with_a_fence() {
                self.dispatcher.expect_fence(self.node, now);
            }
            let pinging = connection.ping(now, with_shards);
            match self.unless_silent(ping_timeout, pinging).await {
                Some(Ok(pong)) => {
                    self.heartbeat.answered(clock::monotonic() - sent);
                    if let Some(until) = pong.complete_until {
                        self.dispatcher.set_fence(self.node, until);
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

    /// Returns the interval between pings: that of the settings, or a shorter one if the server would
    /// close the connection before.
    ///
    /// A server with a `timeout` closes idle connections, but not those with a subscription to a
    /// channel or a pattern. So this asks only on connections that may have none.
    async fn ping_interval(&self, connection: &mut Connection) -> Result<Duration, Error> {
        let interval = self.settings.ping_interval;
        if self.dispatcher.has_subscribed_handlers(self.node) {
            return Ok(interval);
        }
        let asking = connection.setting("timeout");
        let Some(answer) = self.unless_silent(REPLY_TIMEOUT, asking).await else {
            // The first `PING` finds out what is wrong.
            return Ok(interval);
        };
        let seconds = match answer? {
            Setting::Is(seconds) => seconds.parse().unwrap_or(0),
            Setting::Unreadable | Setting::NotNow(_) => 0,
        };
        Ok(match seconds {
            0 => interval,
            seconds => interval.min(Duration::from_secs(seconds) / 3),
        })
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
        let mut pushes = self.dispatcher.pushes_taken(self.node);
        let mut silence = Silence::begin(limit, clock::now());
        loop {
            if let Ok(reply) = timeout(silence.next_check(), replying.as_mut()).await {
                return Some(reply);
            }
            let before = std::mem::replace(&mut pushes, self.dispatcher.pushes_taken(self.node));
            let has_arrived = self.dispatcher.is_waiting(self.node) || before != pushes;
            if has_arrived {
                self.heartbeat.pushes_arrive();
            }
            if silence.is_over_limit(clock::now(), has_arrived) {
                return None;
            }
        }
    }
}

/// How long the server has been silent, as far as this process has listened.
struct Silence {
    limit: Duration,
    /// When something arrived.
    heard: Instant,
    /// When this was last checked.
    checked: Instant,
    /// Whether a late check has begun the silence again. Only one in a row may.
    is_granted: bool,
}

/// A check that is this late shows that the process stood still, rather than that it is busy.
const LATE: Duration = Duration::from_millis(50);

impl Silence {
    fn begin(limit: Duration, now: Instant) -> Self {
        Self {
            limit,
            heard: now,
            checked: now,
            is_granted: false,
        }
    }

    /// Returns how long to wait before the next check.
    fn next_check(&self) -> Duration {
        let left = self.limit.saturating_sub(self.checked - self.heard);
        left.min(self.limit / CHECKS)
    }

    /// Returns whether the server has been silent for the limit.
    fn is_over_limit(&mut self, now: Instant, has_arrived: bool) -> bool {
        let late = (now - self.checked).saturating_sub(self.next_check());
        self.checked = now;
        // If the check is late, this process stood still, and not the server. What has arrived in the
        // meantime waits in the socket, and is read in the next moments.
        let stood_still = late >= LATE.max(self.limit / 2) && !self.is_granted;
        if has_arrived || stood_still {
            self.heard = now;
            self.is_granted = stood_still;
        }
        now - self.heard >= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(16);

    #[test]
    fn silence_ends_a_wait_at_its_limit() {
        let mut now = clock::now();
        let mut silence = Silence::begin(LIMIT, now);
        for _ in 0..15 {
            assert_eq!(silence.next_check(), Duration::from_secs(1));
            now += silence.next_check();
            assert!(!silence.is_over_limit(now, false));
        }
        now += silence.next_check();
        assert!(silence.is_over_limit(now, false));
    }

    #[test]
    fn the_silence_begins_again_with_what_arrives() {
        let mut now = clock::now();
        let mut silence = Silence::begin(LIMIT, now);
        for _ in 0..100 {
            now += silence.next_check();
            assert!(!silence.is_over_limit(now, true));
        }
    }

    #[test]
    fn a_process_that_keeps_standing_still_gets_one_more_timeout() {
        for limit in [Duration::from_millis(1), LIMIT] {
            let mut now = clock::now();
            let mut silence = Silence::begin(limit, now);
            let late = [10 * limit, LATE].into_iter().max().unwrap();
            now += silence.next_check() + late;
            assert!(!silence.is_over_limit(now, false));
            now += silence.next_check() + late;
            assert!(silence.is_over_limit(now, false));
        }
    }

    #[test]
    fn a_timeout_that_is_shorter_than_a_tick_of_the_timer_ends() {
        let mut now = clock::now();
        let mut silence = Silence::begin(Duration::from_millis(1), now);
        now += Duration::from_millis(1);
        assert!(silence.is_over_limit(now, false));
    }

    #[test]
    fn a_standstill_of_this_process_is_not_silence_and_a_late_check_is() {
        let start = clock::now();
        let mut silence = Silence::begin(LIMIT, start);
        let resumed = start + 10 * LIMIT;
        assert!(!silence.is_over_limit(resumed, false), "it stood still");
        let mut now = resumed;
        let mut checks = 0;
        loop {
            // A loaded machine, on which each check is late by a little.
            now += silence.next_check() + Duration::from_secs(1);
            checks += 1;
            if silence.is_over_limit(now, false) {
                break;
            }
            assert!(checks < 16, "the silence is noticed");
        }
        assert!(now - resumed >= LIMIT);
    }
}
