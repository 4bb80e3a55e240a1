//! P8: one handler that misbehaves, and seven that do not.

use std::sync::Arc;
use std::time::Duration;

use redis_push::{Fault, Handler, Mount, Push, Spec};
use serde_json::json;
use tests::within;
use tokio::time::sleep;

use crate::context::{Context, quantile, sorted};
use crate::figure::Figure;
use crate::ledger::Ledger;
use crate::panics::ASKED;
use crate::publisher::{Load, Rate, now_ns};
use crate::stream::{Lane, Stream};

const RATE: Rate = Rate {
    per_second: 8_000,
    bytes: 100,
};
/// The buffer of the misbehaving handler, which fills up at once.
const BUFFER: usize = 64;

/// How the eighth handler behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Like the others.
    Well,
    /// Never returns.
    Stuck,
    /// Takes 50 ms for each message.
    Slow,
    /// Panics on each message.
    Panicking,
}

struct Eighth {
    spec: Spec,
    manner: Manner,
}

impl Handler<()> for Eighth {
    fn spec(&self) -> Spec {
        self.spec.clone()
    }

    async fn handle(&self, _push: Push<'_>, _state: &()) -> Result<(), Fault> {
        match self.manner {
            Manner::Well => {}
            Manner::Stuck => std::future::pending().await,
            Manner::Slow => sleep(Duration::from_millis(50)).await,
            Manner::Panicking => panic!("{ASKED}"),
        }
        Ok(())
    }
}

/// Records its stream, and how long each message took from the publisher.
struct Timed {
    spec: Spec,
    stream: Stream,
    latencies: Arc<std::sync::Mutex<Vec<f64>>>,
}

impl Handler<()> for Timed {
    fn spec(&self) -> Spec {
        self.spec.clone()
    }

    async fn handle(&self, push: Push<'_>, _state: &()) -> Result<(), Fault> {
        let mut words = push.payload().split(|byte| *byte == b' ').skip(1);
        let sent = words
            .next()
            .and_then(|word| str::from_utf8(word).ok()?.parse::<u64>().ok());
        let sent = sent.ok_or_else(|| Fault::failed("no time in the payload"))?;
        let took = now_ns().saturating_sub(sent) as f64 / 1000.0;
        self.latencies.lock().expect("no panic").push(took);
        self.stream.add_message(push.payload());
        Ok(())
    }
}

pub(crate) async fn run(context: Context) {
    let without = trial(&context, Manner::Well).await;
    record_p99(
        &context,
        "seven handlers: p99 latency while all are fast",
        &without,
    );
    for manner in [Manner::Stuck, Manner::Slow, Manner::Panicking] {
        let with = trial(&context, manner).await;
        let eighth = format!("{manner:?}").to_lowercase();
        let what = format!("seven handlers: messages lost while an eighth is {eighth}");
        let detail = json!({"published": with.published, "delivered": with.delivered});
        let lost = with.published - with.delivered;
        context.record(Figure::new("P8", what, lost).must_be(0).detail(detail));
        let what = format!("seven handlers: p99 latency while an eighth is {eighth}");
        record_p99(&context, &what, &with);
    }
}

fn record_p99(context: &Context, what: &str, trial: &Trial) {
    let figure = Figure::new("P8", what, quantile(&trial.latencies, 0.99)).unit("µs");
    context.record(figure.detail(json!({"median": quantile(&trial.latencies, 0.5)})));
}

struct Trial {
    published: u64,
    delivered: u64,
    latencies: Vec<f64>,
}

async fn trial(context: &Context, manner: Manner) -> Trial {
    let server = context.server().await;
    let lanes: Vec<_> = (0..8).map(|i| Lane::channel(&format!("lane{i}"))).collect();
    let latencies = Arc::new(std::sync::Mutex::new(Vec::new()));
    let streams: Vec<_> = lanes[..7].iter().map(|_| Stream::new()).collect();
    let timed = lanes.iter().zip(&streams).map(|(lane, stream)| {
        Mount::new(Timed {
            spec: lane.spec(),
            stream: stream.clone(),
            latencies: Arc::clone(&latencies),
        })
    });
    let eighth = Mount::new(Eighth {
        spec: lanes[7].spec().buffer(BUFFER),
        manner,
    });
    let subscriber = context
        .subscriber(server.url())
        .handlers(timed.chain([eighth]));
    let handle = within("the start", subscriber.start())
        .await
        .expect("a start");
    let load = Load::start(server.addr(), &lanes, RATE).await;
    sleep(Duration::from_secs(context.pick(1, 10))).await;
    let published = load.stop().await;
    let mut delivered = 0;
    for (stream, count) in streams.iter().zip(&published) {
        stream.reaches(count - 1, tests::BOUND).await;
        let ledger = Ledger::of(&stream.events(), *count);
        delivered += ledger.delivered - ledger.duplicates;
    }
    drop(handle);
    let latencies = std::mem::take(&mut *latencies.lock().expect("no panic"));
    Trial {
        published: published[..7].iter().sum(),
        delivered,
        latencies: sorted(latencies),
    }
}
