//! P11: a shutdown at full load, and during faults.

use std::time::{Duration, Instant};

use redis_push::{Handle, ShutdownReport};
use serde_json::json;
use tests::{Proxy, RealServer, Way, within};
use tokio::time::sleep;

use crate::context::{Context, ms};
use crate::figure::Figure;
use crate::heart;
use crate::ledger::Ledger;
use crate::publisher::{Load, Publisher, Rate, payload};
use crate::stream::{Lane, Stream, slow_recorder};

const RATE: Rate = Rate {
    per_second: 4_000,
    bytes: 100,
};

/// The state of the server and the network when the shutdown begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Nothing,
    /// The server has crashed.
    Crashed,
    /// The server's process is suspended.
    Stopped,
    /// The network lets nothing through.
    BlackHole,
    /// The connection was lost, and no new one can be made.
    Unreachable,
}

impl Trouble {
    const ALL: [Self; 5] = [
        Self::Nothing,
        Self::Crashed,
        Self::Stopped,
        Self::BlackHole,
        Self::Unreachable,
    ];

    async fn begin(self, server: &RealServer, proxy: &Proxy) {
        match self {
            Self::Nothing => {}
            Self::Crashed => server.stop().await,
            Self::Stopped => server.freeze(true),
            Self::BlackHole => {
                proxy.black_hole(Way::ToClient, true);
                proxy.black_hole(Way::ToServer, true);
            }
            Self::Unreachable => {
                proxy.refuse(true);
                proxy.reset();
            }
        }
    }
}

#[derive(Default)]
struct Sums {
    shutdowns: usize,
    unaccounted: u64,
    undelivered: u64,
    beyond: f64,
    changed: usize,
    cancelled: u64,
    slowest: String,
}

pub(crate) async fn run(context: Context) {
    let mut rng = context.rng("P11");
    let mut sums = Sums::default();
    let rounds = context.pick(1, 8);
    for _ in 0..rounds {
        for trouble in Trouble::ALL {
            for deadline in [0, 100, 1_000] {
                let deadline = Duration::from_millis(deadline);
                let pause = if rng.bool() {
                    Duration::ZERO
                } else {
                    Duration::from_millis(4)
                };
                sums.add(&context, trouble, deadline, pause).await;
            }
        }
    }
    for _ in 0..rounds {
        sums.undelivered += undelivered(&context).await;
    }
    let detail = json!({"shutdowns": sums.shutdowns, "cancelled": sums.cancelled});
    let figure = Figure::new("P11", "unaccounted messages", sums.unaccounted).must_be(0);
    context.record(figure.detail(detail));
    let figure = Figure::new(
        "P11",
        "sent before the shutdown and not delivered",
        sums.undelivered,
    );
    context.record(figure.must_be(0));
    let figure = Figure::new("P11", "return beyond the deadline, max", sums.beyond);
    let detail = json!({"slowest": sums.slowest});
    context.record(figure.at_most(100).unit("ms").detail(detail));
    let figure = Figure::new("P11", "second calls that changed something", sums.changed);
    context.record(figure.must_be(0));
}

impl Sums {
    /// Shuts down while messages arrive and handlers are running.
    async fn add(
        &mut self,
        context: &Context,
        trouble: Trouble,
        deadline: Duration,
        pause: Duration,
    ) {
        let server = context.server().await;
        let proxy = Proxy::start(server.addr(), context.seed).await;
        let (handle, streams) = start(context, &proxy.url(), pause).await;
        let load = Load::start(server.addr(), &Lane::eight(), RATE).await;
        sleep(Duration::from_millis(150)).await;
        // The publisher would panic on a server that is gone.
        let load = match trouble {
            Trouble::Crashed => {
                load.stop().await;
                None
            }
            _ => Some(load),
        };
        trouble.begin(&server, &proxy).await;
        let begun = Instant::now();
        let report = within("the shutdown", handle.shutdown(deadline)).await;
        let took = begun.elapsed();
        let stalled = heart::stalled_since(begun);
        server.freeze(false);
        let beyond = ms(took) - ms(deadline) - ms(stalled);
        if self.shutdowns == 0 || beyond > self.beyond {
            self.beyond = beyond;
            self.slowest = format!(
                "{trouble:?}, deadline {deadline:?}: {took:.3?}, machine stalled {stalled:.3?}"
            );
        }
        self.shutdowns += 1;
        self.cancelled += report.cancelled();
        self.unaccounted += unaccounted(&report, &streams);
        let again = handle.shutdown(Duration::from_secs(10)).await;
        self.changed += usize::from(again != report || handle.stats() != report.stats);
        if let Some(load) = load {
            load.stop().await;
        }
    }
}

async fn start(context: &Context, url: &str, pause: Duration) -> (Handle, Vec<Stream>) {
    let recorders = Lane::eight()
        .into_iter()
        .map(|lane| slow_recorder(lane.spec(), pause));
    let (mounts, streams): (Vec<_>, Vec<_>) = recorders.unzip();
    let starting = context.subscriber(url).handlers(mounts).start();
    let handle = within("the start", starting).await.expect("a start");
    (handle, streams)
}

/// Counts messages that are in no count or in a wrong one, and holes among the handled messages.
fn unaccounted(report: &ShutdownReport, streams: &[Stream]) -> u64 {
    let both = report.stats.handlers.iter().zip(streams);
    let each = both.map(|(entry, stream)| {
        let events = stream.events();
        let ledger = Ledger::of(&events, events.len() as u64);
        let left = entry.queued + entry.running;
        left + entry.received.abs_diff(entry.accounted())
            + entry.handled.abs_diff(ledger.delivered)
            + ledger.unreported
    });
    each.sum()
}

/// Counts the messages that the server had accepted before the shutdown and that were not
/// delivered, with a deadline that leaves time for all of them.
async fn undelivered(context: &Context) -> u64 {
    const EACH: u64 = 200;
    let server = context.server().await;
    let (handle, streams) = start(context, &server.url(), Duration::from_millis(1)).await;
    let mut publisher = Publisher::connect(server.addr()).await;
    for number in 0..EACH {
        for lane in Lane::eight() {
            let channel = &lane.channels[number as usize % lane.channels.len()];
            publisher.publish(channel, &payload(number, 0));
        }
    }
    publisher.fence().await;
    let load = Load::start(server.addr(), &[Lane::channel("other")], RATE).await;
    within("the shutdown", handle.shutdown(Duration::from_secs(8))).await;
    load.stop().await;
    let delivered = streams
        .iter()
        .map(|stream| Ledger::of(&stream.events(), EACH).delivered);
    delivered.map(|delivered| EACH.abs_diff(delivered)).sum()
}
