//! P9: how much memory a stuck handler may hold.

use std::time::{Duration, Instant};

use redis_push::{Fault, Handle, Handler, Mount, Push, Spec};
use serde_json::json;
use tests::within;
use tokio::time::sleep;

use crate::context::Context;
use crate::figure::Figure;
use crate::publisher::{Load, Rate};
use crate::stream::Lane;

/// The budget of the stuck handler, in bytes, and of the slow one, in messages.
const BYTES: usize = 1 << 20;
const MESSAGES: usize = 1_000;
/// How long the slow handler takes for a message: it keeps up with a tenth of them.
const PAUSE: Duration = Duration::from_millis(5);
const RATE: Rate = Rate {
    per_second: 4_000,
    bytes: 1_000,
};
/// How much of a handler's buffer may stay resident in pages that malloc has not returned, plus the
/// memory of the publisher and of the server's log.
const SLACK_MIB: f64 = 8.0;

struct Late {
    spec: Spec,
    pause: Option<Duration>,
}

impl Handler<()> for Late {
    fn spec(&self) -> Spec {
        self.spec.clone()
    }

    async fn handle(&self, _push: Push<'_>, _state: &()) -> Result<(), Fault> {
        match self.pause {
            Some(pause) => sleep(pause).await,
            None => std::future::pending().await,
        }
        Ok(())
    }
}

pub(crate) async fn run(context: Context) {
    let lasts = Duration::from_secs(context.pick(3, 60));
    let server = context.server().await;
    let lanes = [Lane::channel("stuck"), Lane::channel("slow")];
    let stuck = Late {
        spec: lanes[0].spec().buffer_bytes(BYTES),
        pause: None,
    };
    let slow = Late {
        spec: lanes[1].spec().buffer(MESSAGES),
        pause: Some(PAUSE),
    };
    let mounts = [Mount::new(stuck), Mount::new(slow)];
    let starting = context.subscriber(server.url()).handlers(mounts).start();
    let handle = within("the start", starting).await.expect("a start");
    let load = Load::start(server.addr(), &lanes, RATE).await;
    let held = Held::watch(&handle, lasts).await;
    let published = load.stop().await;
    let stats = handle.stats();
    let counts = |index: usize| {
        let entry = &stats.handlers[index];
        json!({
            "published": published[index],
            "received": entry.received,
            "handled": entry.handled,
            "dropped": entry.dropped,
            "seconds": lasts.as_secs(),
        })
    };
    let bytes = Figure::new(
        "P9",
        "stuck handler: held / (budget + one push), max",
        held.bytes(),
    );
    context.record(bytes.at_most(1).detail(counts(0)));
    let what = "slow handler: held / (budget + one batch), max";
    let messages = Figure::new("P9", what, held.messages());
    context.record(messages.at_most(1).detail(counts(1)));
    if let Some(growth) = held.growth_mib() {
        let figure = Figure::new(
            "P9",
            "resident memory after the first quarter: growth",
            growth,
        );
        let figure = figure.at_most(SLACK_MIB).unit("MiB");
        context.record(figure.detail(json!({"resident_mib": held.resident.last()})));
    }
}

/// The largest amounts held, and the resident size over time.
struct Held {
    stuck: u64,
    slow: u64,
    resident: Vec<f64>,
}

impl Held {
    async fn watch(handle: &Handle, lasts: Duration) -> Self {
        let mut held = Self {
            stuck: 0,
            slow: 0,
            resident: Vec::new(),
        };
        let begun = Instant::now();
        while begun.elapsed() < lasts {
            sleep(Duration::from_millis(10)).await;
            let stats = handle.stats();
            held.stuck = held.stuck.max(stats.handlers[0].queued);
            held.slow = held.slow.max(stats.handlers[1].queued);
            held.resident.extend(resident_mib());
        }
        held
    }

    /// The payloads that the stuck handler held, as a part of its budget and one push.
    fn bytes(&self) -> f64 {
        self.stuck as f64 * RATE.bytes as f64 / (BYTES + RATE.bytes) as f64
    }

    /// The messages that the slow handler held, as a part of its budget and one batch. The batch
    /// that it is working on, at most a sixteenth of its budget, is not in the buffer any more.
    fn messages(&self) -> f64 {
        self.slow as f64 / (MESSAGES + MESSAGES / 16 + 1) as f64
    }

    /// How much the process has grown since the first quarter of the run. `None` where the size
    /// cannot be read.
    fn growth_mib(&self) -> Option<f64> {
        let (first, rest) = self.resident.split_at(self.resident.len() / 4);
        let most = |sizes: &[f64]| sizes.iter().copied().max_by(f64::total_cmp);
        Some(most(rest)? - most(first)?)
    }
}

/// The resident size of this process.
pub(crate) fn resident_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib / 1024.0)
}
