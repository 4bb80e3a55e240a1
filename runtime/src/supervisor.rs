//! Keeps the subscriptions live: one generation after another, for as long as it takes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::backoff::Backoff;
use crate::error::Error;
use crate::extract::ConnectionEvent;
use crate::feed::Feed;
use crate::gap::Missed;
use crate::link::{Connection, Link};
use crate::pulse::{Pulse, Tick};
use crate::routes::Standing;
use crate::settings::Settings;
use crate::subscription::{Kind, Subscription};

/// What the supervisor lets others see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Status {
    pub(crate) phase: Phase,
    /// Why the last generation ended, or could not begin.
    pub(crate) error: Option<Arc<Error>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// There is no connection, or not every name has been answered.
    #[default]
    Connecting,
    /// Every name has been answered, and some were denied.
    Degraded,
    /// Every name is confirmed on this connection.
    Ready,
}

pub(crate) struct Supervisor {
    pub(crate) link: Link,
    pub(crate) feed: Arc<Feed>,
    pub(crate) settings: Settings,
    pub(crate) status: watch::Sender<Status>,
    /// Turns true when it is time to drain and end.
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) pulse: Arc<Pulse>,
    /// The number of the last generation: 0 before the first.
    pub(crate) last: u64,
    /// Whether there was a connection in it whose end has not been told.
    pub(crate) is_connected: bool,
}

/// How many subscribe commands go out before the first reply is waited for.
const AT_ONCE: usize = 256;
/// How long a command other than `PING` may take, and a confirmation may be behind its reply.
const ANSWER: Duration = Duration::from_secs(5);
/// How often it is looked for pushes while a `PING` waits for its answer, until its timeout.
const LOOKS: u32 = 16;

impl Supervisor {
    /// Works as the task of the supervisor, and ticks for as long as that is polled.
    pub(crate) async fn run(supervisor: Arc<Mutex<Self>>, tick: Arc<Tick>) {
        let mut supervisor = supervisor.lock().await;
        tokio::select! {
            () = supervisor.supervise() => {}
            never = tick.keep_ticking() => never,
        }
    }

    /// Connects, subscribes and watches until it is stopped.
    async fn supervise(&mut self) {
        let (first, most) = self.settings.reconnect_delay;
        let mut backoff = Backoff::new(first, most);
        let mut stop = self.stop.clone();
        if self.last > 0 {
            // The task before this one has ended unasked, and its connection with it.
            self.pulse.disconnected();
            self.feed.end(Missed::Unknown);
            let error = "the supervisor's task had ended; the connection is built anew";
            self.set_phase(Phase::Connecting, Some(Error::connection(error)));
            self.tell_disconnected();
        }
        loop {
            self.last += 1;
            self.feed.open(self.last);
            let ended = self.generation(self.last).await;
            self.pulse.disconnected();
            let Some(error) = ended else {
                break;
            };
            let was_ready = self.status.borrow().phase == Phase::Ready;
            if was_ready {
                backoff.reset();
            }
            // Before the feed counts the loss: who sees that must not find it ready still.
            self.set_phase(Phase::Connecting, Some(error));
            self.feed.end(Missed::Unknown);
            self.tell_disconnected();
            tokio::select! {
                () = stopped(&mut stop) => break,
                () = sleep(backoff.next()) => {}
            }
        }
        self.feed.close();
    }

    /// Lives through one generation and returns why it ended; `None` when it was stopped.
    async fn generation(&mut self, generation: u64) -> Option<Error> {
        let mut stop = self.stop.clone();
        let connected = tokio::select! {
            biased;
            () = stopped(&mut stop) => return None,
            connected = self.link.connect(
                generation,
                &self.feed,
                self.settings.connect_timeout,
            ) => connected,
        };
        let mut connection = match connected {
            Ok(connection) => connection,
            Err(error) => return Some(error),
        };
        self.pulse.connected();
        self.is_connected = true;
        self.feed.tell_connection(ConnectionEvent::Connected);
        tokio::select! {
            biased;
            () = stopped(&mut stop) => {
                self.drain(&mut connection).await;
                None
            }
            error = self.disconnected() => Some(error),
            error = self.keep_subscribed(connection.clone()) => Some(error),
            error = self.keep_alive(connection.clone()) => Some(error),
        }
    }

    /// Tells who listens to the connection that it has ended, if there was one, and why.
    fn tell_disconnected(&mut self) {
        if std::mem::take(&mut self.is_connected) {
            let error = self.status.borrow().error.clone();
            let reason = error.map_or_else(String::new, |error| error.to_string());
            let event = ConnectionEvent::Disconnected { reason: &reason };
            self.feed.tell_connection(event);
        }
    }

    /// Subscribes to what is not live, again and again, and says how it stands.
    async fn keep_subscribed(&self, mut connection: Connection) -> Error {
        let mut news = self.feed.news();
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));
        let mut wanted = self.feed.subscriptions(needs_subscribing);
        loop {
            if let Err(error) = self.subscribe(&mut connection, &wanted).await {
                return error;
            }
            // The replies are here; the confirmations come through the push path behind them.
            let confirmed_by = Instant::now() + ANSWER;
            while self.feed.any_stands(needs_subscribing) && Instant::now() < confirmed_by {
                let _ = tokio::time::timeout_at(confirmed_by, news.changed()).await;
            }
            let phase = if self.feed.all_stand(is_confirmed) {
                backoff.reset();
                Phase::Ready
            } else if self.feed.any_stands(needs_subscribing) {
                Phase::Connecting
            } else {
                Phase::Degraded
            };
            let error = (phase == Phase::Connecting).then(|| connection.unconfirmed());
            self.set_phase(phase, error);
            wanted = match phase {
                Phase::Ready => {
                    while !self.feed.any_stands(needs_subscribing) {
                        let _ = news.changed().await;
                    }
                    self.set_phase(Phase::Connecting, None);
                    self.feed.subscriptions(needs_subscribing)
                }
                Phase::Connecting | Phase::Degraded => {
                    let retry = Instant::now() + backoff.next();
                    while self.feed.all_stand(is_refused_or_confirmed) && Instant::now() < retry {
                        let _ = tokio::time::timeout_at(retry, news.changed()).await;
                    }
                    self.feed.subscriptions(|standing| !is_confirmed(standing))
                }
            };
        }
    }

    async fn subscribe(
        &self,
        connection: &mut Connection,
        wanted: &[Subscription],
    ) -> Result<(), Error> {
        for some in wanted.chunks(AT_ONCE) {
            let replies = timeout(ANSWER, connection.subscribe(some))
                .await
                .map_err(|_| {
                    Error::connection(format!(
                        "the server did not answer a subscription within {ANSWER:?}"
                    ))
                })??;
            for (subscription, refusal) in some.iter().zip(replies) {
                match refusal {
                    Some(reason) => self.denied(subscription, reason),
                    None => self.feed.accepted(subscription),
                }
            }
        }
        Ok(())
    }

    fn denied(&self, subscription: &Subscription, reason: String) {
        let reason = Arc::from(reason);
        // A retry that is denied for the same reason is no news.
        if self.feed.deny(subscription, &reason) {
            tracing::warn!(
                target: "redis_push",
                %subscription,
                %reason,
                "the server denies a subscription; it will be asked again"
            );
        }
    }

    /// Returns when the connection has been silent for longer than it may.
    async fn keep_alive(&self, mut connection: Connection) -> Error {
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
            let asked = std::time::Instant::now();
            let mut ping = std::pin::pin!(connection.ping());
            let mut taken = self.feed.pushes_taken();
            let mut heard = Instant::now();
            loop {
                let left = ping_timeout.saturating_sub(heard.elapsed());
                match timeout(left.min(ping_timeout / LOOKS), ping.as_mut()).await {
                    Ok(Ok(())) => {
                        self.pulse.answered(asked.elapsed());
                        break self.feed.heard();
                    }
                    Ok(Err(error)) => return error,
                    // The answer stands behind pushes that are still being taken, or that wait for
                    // a full ring: silence is what comes after the last of them.
                    Err(_) if self.feed.is_waiting() || taken != self.feed.pushes_taken() => {
                        taken = self.feed.pushes_taken();
                        self.pulse.still_taking();
                        heard = Instant::now();
                    }
                    Err(_) if heard.elapsed() < ping_timeout => {}
                    Err(_) => {
                        return Error::connection(format!(
                            "the server has said nothing for {ping_timeout:?} after a `PING`"
                        ));
                    }
                }
            }
        }
    }

    /// Asks again for the invalidations that the owner of a shared connection has ended.
    async fn keep_tracking(&self, connection: &mut Connection) -> Result<(), Error> {
        let mut tracked = self.feed.subscriptions(is_confirmed);
        tracked.retain(|subscription| subscription.kind() == Kind::Invalidation);
        let Ok(ended) = timeout(ANSWER, connection.untracked(tracked)).await else {
            // The `PING` behind it says what is wrong.
            return Ok(());
        };
        for subscription in ended? {
            tracing::warn!(
                target: "redis_push",
                %subscription,
                "the attached connection does not track any more; it is asked to again"
            );
            self.feed.ended(&subscription);
        }
        Ok(())
    }

    /// Returns when the feed has seen the end of the connection.
    async fn disconnected(&self) -> Error {
        let mut news = self.feed.news();
        while self.feed.is_open() {
            let _ = news.changed().await;
        }
        Error::connection("the connection was lost: the server or the network closed it")
    }

    /// Ends the subscriptions and waits until the feed has seen that they ended: what was
    /// published before is then in the rings. The commands' replies would say less, for redis-rs
    /// keeps pushes in a queue beside them.
    async fn drain(&self, connection: &mut Connection) {
        // The names on a shared connection may be somebody else's.
        if connection.is_shared() {
            return;
        }
        let confirmed = self.feed.subscriptions(is_confirmed);
        let mut news = self.feed.news();
        let unsubscribed = async {
            for some in confirmed.chunks(AT_ONCE) {
                connection.unsubscribe(some).await?;
            }
            while self.feed.any_stands(is_confirmed) {
                let _ = news.changed().await;
            }
            Ok::<_, Error>(())
        };
        tokio::select! {
            _ = self.disconnected() => {}
            _ = unsubscribed => {}
        }
    }

    fn set_phase(&self, phase: Phase, error: Option<Error>) {
        let before = self.status.borrow().phase;
        match (phase, &error) {
            (Phase::Ready, _) if before != Phase::Ready => {
                tracing::info!(target: "redis_push", "every subscription is confirmed");
            }
            (Phase::Connecting, Some(error)) => {
                tracing::warn!(target: "redis_push", %error, "not every subscription is live");
            }
            _ => {}
        }
        self.status.send_modify(|status| {
            status.phase = phase;
            if let Some(error) = error {
                status.error = Some(Arc::new(error));
            }
        });
    }
}

fn needs_subscribing(standing: &Standing) -> bool {
    matches!(standing, Standing::Wanted | Standing::Ended)
}

fn is_refused_or_confirmed(standing: &Standing) -> bool {
    !needs_subscribing(standing)
}

fn is_confirmed(standing: &Standing) -> bool {
    *standing == Standing::Confirmed
}

/// Returns when it is time to end: the word was given, or nobody is left to give it.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
