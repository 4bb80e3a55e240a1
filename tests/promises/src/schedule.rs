//! One run with random handlers, messages and faults.

use std::net::SocketAddr;
use std::time::Duration;

use redis_push::{Handle, HandlerStats, Stats, Subscription};
use tests::{Server, within};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::chaos::{Chaos, Odds};
use crate::conservation::Sums;
use crate::context::Context;
use crate::publisher::Publisher;

/// Random handlers, and the source of the random choices.
pub(crate) struct Schedule {
    rng: fastrand::Rng,
    /// Channels that no other schedule uses.
    channels: Vec<String>,
    prefix: String,
}

impl Schedule {
    pub(crate) fn new(seed: u64, prefix: &str) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let channels = (0..rng.usize(1..5))
            .map(|index| format!("{prefix}.c.{index}"))
            .collect();
        Self {
            rng,
            channels,
            prefix: prefix.to_owned(),
        }
    }

    pub(crate) async fn run(mut self, context: &Context, server: &Server) -> Sums {
        let handlers: Vec<_> = (0..self.rng.usize(1..6))
            .map(|index| self.handler(index))
            .collect();
        let names: Vec<Vec<usize>> = handlers.iter().map(|chaos| self.heard_by(chaos)).collect();
        let counts: Vec<_> = handlers.iter().map(Chaos::counts).collect();
        let mounts = handlers.into_iter().map(Chaos::mount);
        let subscriber = context.subscriber(server.url()).handlers(mounts);
        // In half of the schedules the wire link never waits for a full buffer.
        let wire_wait = if self.rng.bool() { 50 } else { 0 };
        let starting = subscriber
            .wire_wait(Duration::from_millis(wire_wait))
            .reconnect_delay(Duration::from_millis(1), Duration::from_millis(20))
            .start();
        let handle = within("the start", starting).await.expect("a start");
        let mut sums = Sums {
            schedules: 1,
            ..Sums::default()
        };
        let (done, watched) = watch::channel(false);
        let (published, (looks, unequal)) = tokio::join!(
            async {
                let published = self.publish(server.addr(), &handle, &mut sums).await;
                done.send_replace(true);
                published
            },
            look(&handle, watched),
        );
        sums.looks = looks;
        sums.unequal = unequal;
        // Half of the schedules shut down while messages are still being handled.
        let ends_early = self.rng.bool();
        if !ends_early {
            let quiet = quiet(&handle, &published, &names, sums.disconnects);
            let stats = within("a quiet moment", quiet).await;
            for (entry, counts) in stats.handlers.iter().zip(&counts) {
                sums.uneven += u64::from(entry.received != entry.accounted());
                sums.untrue += u64::from(!counts.are_those_of(entry));
            }
        }
        let deadline = Duration::from_millis(self.rng.u64(0..20));
        let report = within("the shutdown", handle.shutdown(deadline)).await;
        sums.add_report(&report.stats, &counts);
        sums
    }

    /// Which channels reach a handler.
    fn heard_by(&self, chaos: &Chaos) -> Vec<usize> {
        let channels = self.channels.iter().enumerate();
        let heard = channels.filter(|(_, channel)| chaos.hears(channel));
        heard.map(|(index, _)| index).collect()
    }

    fn handler(&mut self, index: usize) -> Chaos {
        let rng = &mut self.rng;
        let mut wanted: Vec<_> = self.channels.clone();
        rng.shuffle(&mut wanted);
        wanted.truncate(rng.usize(1..=wanted.len()));
        let mut subscriptions: Vec<_> = wanted.into_iter().map(Subscription::channel).collect();
        if rng.u8(..4) == 0 {
            // The glob matches every channel of the schedule, and the template matches none.
            let template = format!("{}.{{one}}", self.prefix);
            subscriptions = vec![Subscription::template(&template).expect("a template")];
        }
        let buffer = match rng.u8(..3) {
            0 => 65_536,
            1 => rng.usize(1..8),
            _ => rng.usize(8..200),
        };
        let odds = Odds::any(rng);
        let seed = rng.u64(..);
        Chaos::new(format!("handler{index}"), subscriptions, buffer, odds, seed).with_policies(rng)
    }

    /// Publishes in bursts, with pauses and occasional disconnects. Returns how many messages went
    /// to each channel.
    async fn publish(&mut self, addr: SocketAddr, handle: &Handle, sums: &mut Sums) -> Vec<u64> {
        let mut publisher = Publisher::connect(addr).await;
        let mut published = vec![0; self.channels.len()];
        let may_disconnect = self.rng.u8(..3) == 0;
        for _ in 0..self.rng.usize(1..8) {
            for _ in 0..self.rng.usize(1..120) {
                let index = self.rng.usize(..self.channels.len());
                let size = if self.rng.u8(..50) == 0 {
                    20_000
                } else {
                    self.rng.usize(..200)
                };
                publisher.publish(&self.channels[index], &vec![b'x'; size]);
                published[index] += 1;
            }
            publisher.fence().await;
            if may_disconnect && self.rng.bool() {
                let before = handle.stats().feed.reconnects;
                publisher.command(&[b"CLIENT", b"KILL", b"TYPE", b"pubsub"]);
                publisher.fence().await;
                sums.disconnects += 1;
                again(handle, before).await;
            } else if self.rng.bool() {
                sleep(Duration::from_millis(self.rng.u64(0..4))).await;
            }
        }
        published
    }
}

/// Waits until there is a ready connection, and more reconnects than `before`.
async fn again(handle: &Handle, before: u64) {
    let again = async {
        while handle.stats().feed.reconnects == before || !handle.is_ready() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    if timeout(tests::BOUND, again).await.is_err() {
        panic!(
            "not ready again after {before} reconnects: {handle:?}\n{}",
            handle.stats()
        );
    }
}

/// Polls the stats. A handler must never have more messages accounted for than received.
async fn look(handle: &Handle, mut done: watch::Receiver<bool>) -> (u64, u64) {
    let (mut looks, mut unequal) = (0, 0);
    loop {
        for entry in handle.stats().handlers {
            looks += 1;
            unequal += u64::from(entry.accounted() > entry.received);
        }
        tokio::select! {
            _ = done.wait_for(|done| *done) => return (looks, unequal),
            () = sleep(Duration::from_micros(200)) => {}
        }
    }
}

/// Waits until every handler has handled everything that was published. After disconnects it waits
/// only until the handlers are idle. Returns the stats of that moment.
async fn quiet(
    handle: &Handle,
    published: &[u64],
    names: &[Vec<usize>],
    disconnects: u64,
) -> Stats {
    let has_all = |(entry, names): (&HandlerStats, &Vec<usize>)| {
        let expected: u64 = names.iter().map(|index| published[*index]).sum();
        let is_done = entry.queued + entry.running == 0;
        is_done && (disconnects > 0 || entry.received == expected)
    };
    let mut before = Vec::new();
    loop {
        let stats = handle.stats();
        let is_quiet = stats.handlers.iter().zip(names).all(has_all);
        // The rest tells how long ago something was, which is never the same twice.
        if is_quiet && stats.handlers == before {
            return stats;
        }
        before = stats.handlers;
        sleep(Duration::from_millis(1)).await;
    }
}
