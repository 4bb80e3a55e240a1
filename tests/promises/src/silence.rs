//! P6: connections that go silent without being closed.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::iter;
use serde_json::json;
use tests::{Proxy, RealServer, Way, within};
use tokio::time::sleep;

use crate::context::{Context, ms, quantile, sorted};
use crate::figure::Figure;
use crate::heart;
use crate::publisher::{Load, Rate};
use crate::stream::{Lane, recorder};

/// The delay of a slow line in one direction.
const FAR: Duration = Duration::from_millis(100);

/// A way for a connection to go silent.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The network lets nothing through, in either direction.
    BlackHole,
    /// Bytes from the server do not arrive.
    NothingToClient,
    /// Bytes from the client do not arrive.
    NothingToServer,
    /// The server's process stops (SIGSTOP).
    Stop,
    /// The server's side of the connection is closed, and the client is not notified.
    HalfOpen,
}

impl Fault {
    const ALL: [Self; 5] = [
        Self::BlackHole,
        Self::NothingToClient,
        Self::NothingToServer,
        Self::Stop,
        Self::HalfOpen,
    ];

    fn set(self, server: &RealServer, proxy: &Proxy, on: bool) {
        match self {
            Self::BlackHole => {
                proxy.black_hole(Way::ToClient, on);
                proxy.black_hole(Way::ToServer, on);
            }
            Self::NothingToClient => proxy.black_hole(Way::ToClient, on),
            Self::NothingToServer => proxy.black_hole(Way::ToServer, on),
            Self::Stop => server.freeze(on),
            Self::HalfOpen if on => proxy.forget_server(),
            Self::HalfOpen => {}
        }
    }
}

/// The ping settings of a subscriber.
#[derive(Clone, Copy, Debug)]
struct Ping {
    interval: Duration,
    timeout: Duration,
}

impl Ping {
    const fn ms(interval: u64, timeout: u64) -> Self {
        Self {
            interval: Duration::from_millis(interval),
            timeout: Duration::from_millis(timeout),
        }
    }

    fn bound(self) -> Duration {
        self.interval + self.timeout
    }
}

/// The state of the connection before the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// No messages arrived.
    Idle,
    /// Messages arrived.
    Loaded,
    /// Messages arrived over a slow line, where a ping was in flight for most of the time.
    LoadedAndFar,
}

struct Trial {
    fault: Fault,
    ping: Ping,
    before: Before,
    /// When the fault happens between two pings, from 0 to 1.
    phase: f64,
}

pub(crate) async fn run(context: Context) {
    let mut rng = context.rng("P6");
    let mut pings = vec![Ping::ms(1_000, 1_000), Ping::ms(200, 1_800)];
    if !context.quick {
        pings.extend([Ping::ms(2_000, 200), Ping::ms(5_000, 5_000)]);
    }
    let mut trials = Vec::new();
    for _ in 0..context.pick(1, 6) {
        for ping in &pings {
            for fault in Fault::ALL {
                // While messages still arrive, the connection is not silent.
                let before: &[Before] = match fault {
                    Fault::NothingToServer => &[Before::Idle],
                    _ => &[Before::Idle, Before::Loaded, Before::LoadedAndFar],
                };
                for &before in before {
                    let phase = rng.f64();
                    trials.push(Trial {
                        fault,
                        ping: *ping,
                        before,
                        phase,
                    });
                }
            }
        }
    }
    rng.shuffle(&mut trials);
    let running = iter(trials).map(|trial| detection(&context, trial));
    let detections = running.buffer_unordered(6).collect::<Vec<_>>();
    let (detections, alarms) = tokio::join!(detections, false_alarms(&context));
    let ratios = sorted(detections.iter().map(|detection| detection.ratio));
    let worst = detections
        .iter()
        .max_by(|a, b| a.ratio.total_cmp(&b.ratio))
        .expect("trials");
    let figure = Figure::new("P6", "detection / (interval + timeout), max", worst.ratio);
    context.record(figure.at_most(1.25).detail(json!({
        "trials": ratios.len(),
        "median": quantile(&ratios, 0.5),
        "worst": worst.what,
    })));
    context.record(alarms);
}

struct Detection {
    ratio: f64,
    what: String,
}

/// Measures how long it takes to notice a silence, as a part of the bound.
async fn detection(context: &Context, trial: Trial) -> Detection {
    let Trial {
        fault,
        ping,
        before,
        phase,
    } = trial;
    let server = context.server().await;
    let proxy = Proxy::start(server.addr(), context.seed).await;
    let lane = Lane::channel("a");
    let (mount, _stream) = recorder(lane.spec());
    let subscriber = context.subscriber(proxy.url()).handlers([mount]);
    let subscriber = subscriber
        .ping(ping.interval, ping.timeout)
        .connect_timeout(Duration::from_millis(500))
        .reconnect_delay(Duration::from_millis(20), Duration::from_millis(200));
    let handle = within("the start", subscriber.start())
        .await
        .expect("a start");
    let rate = Rate {
        per_second: 200,
        bytes: 64,
    };
    let load = match before {
        Before::Idle => None,
        _ => Some(Load::start(server.addr(), &[lane], rate).await),
    };
    if before == Before::LoadedAndFar {
        proxy.delay(FAR);
    }
    let between_pings = ping.interval + FAR * 2;
    sleep(between_pings.mul_f64(1.0 + phase)).await;
    let reconnects = handle.stats().feed.reconnects;
    let begun = Instant::now();
    fault.set(&server, &proxy, true);
    // The wait is bounded: the figure misses its target long before that.
    let unnoticed = || handle.is_ready() && handle.stats().feed.reconnects == reconnects;
    while unnoticed() && begun.elapsed() < ping.bound() * 3 {
        sleep(Duration::from_millis(1)).await;
    }
    let stalled = heart::stalled_since(begun);
    let took = begun.elapsed().saturating_sub(stalled);
    proxy.delay(Duration::ZERO);
    fault.set(&server, &proxy, false);
    within("ready again", handle.ready()).await;
    if let Some(load) = load {
        load.stop().await;
    }
    Detection {
        ratio: ms(took) / ms(ping.bound()),
        what: format!("{fault:?}, {before:?}, {ping:?}: {took:.3?}, machine stalled {stalled:.3?}"),
    }
}

/// An idle connection with the default timeout and a hundredth of the default interval.
async fn false_alarms(context: &Context) -> Figure {
    let lasts = Duration::from_secs(context.pick(15, 90));
    let server = context.server().await;
    let (mount, _stream) = recorder(Lane::channel("a").spec());
    let subscriber = context.subscriber(server.url()).handlers([mount]);
    let ping = Ping::ms(50, 5_000);
    let subscriber = subscriber.ping(ping.interval, ping.timeout);
    let handle = within("the start", subscriber.start())
        .await
        .expect("a start");
    sleep(lasts).await;
    let reconnects = handle.stats().feed.reconnects;
    let figure = Figure::new("P6", "false alarms, idle, interval 50 ms", reconnects);
    figure
        .must_be(0)
        .detail(json!({"seconds": lasts.as_secs(), "ready": handle.is_ready()}))
}
