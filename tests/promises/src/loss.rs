//! P2, P3 and P4: disconnects at random moments under load.

use std::time::{Duration, Instant};

use redis_push::GapCause;
use serde_json::json;
use tests::{Proxy, RealServer};
use tokio::time::sleep;

use crate::context::{Context, ms, quantile, sorted};
use crate::figure::Figure;
use crate::ledger::Ledger;
use crate::listener::{Listener, Setting};
use crate::publisher::{Load, Rate};
use crate::stream::{Event, Lane, Stream, slow_recorder};

const RATE: Rate = Rate {
    per_second: 4_500,
    bytes: 64,
};
/// How long a subject may take to reconnect.
const BACK: Duration = Duration::from_secs(10);

/// A way to lose a connection.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// `CLIENT KILL`.
    Kill,
    /// The network resets the connection.
    Reset,
    /// The network resets the connection inside a frame.
    Cut,
    /// The network resets the connection, and new connections for a while.
    Outage(Duration),
}

impl Fault {
    fn any(rng: &mut fastrand::Rng) -> Self {
        match rng.u8(..4) {
            0 => Self::Kill,
            1 => Self::Reset,
            2 => Self::Cut,
            _ => Self::Outage(Duration::from_millis(rng.u64(20..150))),
        }
    }

    fn outage(self) -> Duration {
        match self {
            Self::Outage(outage) => outage,
            _ => Duration::ZERO,
        }
    }

    async fn strike(self, server: &RealServer, proxy: &Proxy) {
        match self {
            Self::Kill => drop(server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await),
            Self::Reset => proxy.reset(),
            Self::Cut => proxy.cut_inside_a_frame(),
            Self::Outage(outage) => {
                proxy.refuse(true);
                proxy.reset();
                sleep(outage).await;
                proxy.refuse(false);
            }
        }
    }
}

pub(crate) async fn run(context: Context) {
    let is_control = context.subject.is_control();
    let rounds = context.pick(60, if is_control { 250 } else { 1_000 });
    let mut rng = context.rng("P2");
    let server = context.server().await;
    let proxy = Proxy::start(server.addr(), rng.u64(..)).await;
    let mut lanes = Lane::eight();
    // The library has a ninth handler, which is too slow for its lane and gets exact counts.
    let slow = Lane::channel("slow");
    let (mount, slow_stream) = slow_recorder(slow.spec().buffer(4), Duration::from_millis(4));
    let listener = Setting::of(&context, &lanes)
        .and(mount)
        .with_streams()
        .with_commands_every(Duration::from_millis(5))
        .start(&proxy.url())
        .await;
    let ready = Ready::new(&listener, &server);
    lanes.push(slow);
    let load = Load::start(server.addr(), &lanes, RATE).await;
    let begun = Instant::now();
    let mut outages = Vec::new();
    let mut is_deaf = false;
    for _ in 0..rounds {
        let before = ready.mark().await;
        sleep(Duration::from_millis(rng.u64(2..60))).await;
        let fault = Fault::any(&mut rng);
        fault.strike(&server, &proxy).await;
        outages.push(fault.outage());
        is_deaf = !ready.again(before).await;
        if is_deaf {
            break;
        }
    }
    sleep(Duration::from_millis(100)).await;
    let published = load.stop().await;
    let caught_up = listener.catches_up(&published[..8], BACK).await;
    let run = Run {
        context: &context,
        outages: &outages,
        streams: &listener.streams,
    };
    let detail = json!({
        "disconnects": outages.len(),
        "published": published.iter().sum::<u64>(),
        "seconds": begun.elapsed().as_secs(),
        "deaf_at_the_end": is_deaf || !caught_up,
    });
    run.losses(&published[..8], detail);
    if !is_control {
        run.gaps();
        let caught_up = slow_stream.reaches(published[8] - 1, BACK).await;
        run.exact_counts(&slow_stream, published[8], caught_up);
    }
}

/// Checks whether the subject has reconnected.
struct Ready<'a> {
    listener: &'a Listener,
    server: &'a RealServer,
}

impl<'a> Ready<'a> {
    fn new(listener: &'a Listener, server: &'a RealServer) -> Self {
        Self { listener, server }
    }

    /// A number that grows with each connection, for [`again`](Self::again) to compare with.
    async fn mark(&self) -> u64 {
        match &self.listener.handle {
            Some(handle) => handle.stats().feed.reconnects,
            None => self.newest().await,
        }
    }

    /// Waits for a connection that has every subscription and is newer than the mark.
    async fn again(&self, mark: u64) -> bool {
        let again = async {
            while self.mark().await <= mark {
                sleep(Duration::from_millis(2)).await;
            }
            if let Some(handle) = &self.listener.handle {
                handle.ready().await;
            }
        };
        tokio::time::timeout(BACK, again).await.is_ok()
    }

    /// The highest client id with all the subscriptions of a control.
    async fn newest(&self) -> u64 {
        let list = self
            .server
            .command(&["CLIENT", "LIST", "TYPE", "pubsub"])
            .await;
        let list: String = redis::from_redis_value(list).expect("text");
        let whole = list.lines().filter(|line| line.contains(" sub=7 psub=1 "));
        let ids = whole.filter_map(|line| line.strip_prefix("id=")?.split(' ').next());
        ids.filter_map(|id| id.parse().ok()).max().unwrap_or(0)
    }
}

struct Run<'a> {
    context: &'a Context,
    outages: &'a [Duration],
    streams: &'a [Stream],
}

impl Run<'_> {
    /// Records losses, duplicates and inversions. `published` has a count for each lane.
    fn losses(&self, published: &[u64], detail: serde_json::Value) {
        let ledgers = self.streams.iter().zip(published.iter().cycle());
        let sum = ledgers
            .map(|(stream, published)| Ledger::of(&stream.events(), *published))
            .fold(Ledger::default(), Ledger::plus);
        let lost = Figure::new("P2", "unreported losses", sum.unreported)
            .must_be(0)
            .detail(detail)
            .detail(json!({"delivered": sum.delivered, "reported": sum.reported}));
        let lost = if self.context.subject.is_control() {
            lost.detail(json!({
                "if_notices_of_disconnections_were_gaps": sum.unreported_without_disconnect,
            }))
        } else {
            lost
        };
        self.context.record(lost);
        let duplicates = Figure::new("P4", "duplicates", sum.duplicates).must_be(0);
        let inversions = Figure::new("P4", "inversions", sum.inversions).must_be(0);
        self.context.record(duplicates);
        self.context.record(inversions);
    }

    /// Records how many gaps were reported, and how much longer than the outages they are.
    fn gaps(&self) {
        let mut beyond = Vec::new();
        let mut reported = 0;
        for stream in self.streams {
            let events = stream.events();
            let gaps = events.iter().filter_map(|event| match event {
                Event::Gap(gap) if gap.cause == GapCause::ConnectionLost => Some(gap),
                _ => None,
            });
            let lengths: Vec<_> = gaps
                .map(|gap| gap.until.duration_since(gap.since).unwrap_or_default())
                .collect();
            reported += lengths.len();
            if lengths.len() == self.outages.len() {
                let both = lengths.iter().zip(self.outages);
                beyond.extend(both.map(|(length, outage)| ms(*length) - ms(*outage)));
            }
        }
        let expected = self.outages.len() * self.streams.len();
        let ratio = reported as f64 / expected as f64;
        let detail = json!({"reported": reported, "handlers_and_streams": self.streams.len()});
        let figure = Figure::new("P2", "gaps reported / disconnects", ratio).must_be(1);
        self.context.record(figure.detail(detail));
        let beyond = sorted(beyond);
        for (name, part) in [("median", 0.5), ("p99", 0.99)] {
            let what = format!("gap beyond the outage, {name}");
            let figure = Figure::new("P3", what, quantile(&beyond, part)).unit("ms");
            self.context
                .record(figure.detail(json!({"gaps": beyond.len()})));
        }
    }

    /// Records how many of the slow handler's lags were counted exactly.
    fn exact_counts(&self, stream: &Stream, published: u64, caught_up: bool) {
        let ledger = Ledger::of(&stream.events(), published);
        let detail = json!({
            "lags": ledger.counted,
            "reported": ledger.reported,
            "delivered": ledger.delivered,
            "unreported": ledger.unreported,
            "caught_up": caught_up,
        });
        let exact = ledger
            .counted
            .saturating_sub(ledger.miscounted + ledger.unreported);
        let ratio = exact as f64 / ledger.counted as f64;
        let figure = Figure::new("P2", "slow handler: exact counts / counted lags", ratio);
        self.context.record(figure.must_be(1).detail(detail));
    }
}
