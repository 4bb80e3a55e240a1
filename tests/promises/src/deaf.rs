//! P5: outages of every length, with refusals before the server is healthy again.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use tests::{Proxy, RealServer};
use tokio::time::sleep;

use crate::context::{Context, ms, quantile, sorted};
use crate::figure::Figure;
use crate::ledger::Ledger;
use crate::listener::Setting;
use crate::publisher::{Publisher, payload};
use crate::stream::Lane;

/// A subscriber is deaf if it receives nothing for this long from a healthy server.
const DEAF: Duration = Duration::from_secs(10);
const OTHER_PASSWORD: &str = "another";

/// What happens until the server is healthy again.
#[derive(Clone, Copy, Debug)]
enum Outage {
    /// The server crashes, and starts again after this time.
    Crash(Duration),
    /// The server crashes, and for this time after its start it requires another password.
    WrongPassword(Duration),
    /// The connection is lost, and for this time every command gets this reply.
    Answer(Duration, &'static str),
    /// The connection is lost, and for this time no new one can be made.
    Unreachable(Duration),
}

const LOADING: &str = "-LOADING Redis is loading the dataset in memory";
const NO_AUTH: &str = "-NOAUTH Authentication required.";

impl Outage {
    fn all(context: &Context) -> Vec<Self> {
        let crashes = context.pick(vec![1, 15], vec![1, 2, 5, 10, 15, 30]);
        let refusals = context.pick(vec![3, 12], vec![1, 5, 15, 30]);
        let seconds = Duration::from_secs;
        let mut all: Vec<_> = crashes.into_iter().map(seconds).map(Self::Crash).collect();
        for outage in refusals.into_iter().map(seconds) {
            all.extend([
                Self::WrongPassword(outage),
                Self::Answer(outage, LOADING),
                Self::Answer(outage, NO_AUTH),
                Self::Unreachable(outage),
            ]);
        }
        all
    }

    /// Runs the outage, and returns when the server is healthy again.
    async fn happen(self, server: &RealServer, proxy: &Proxy) {
        match self {
            Self::Crash(outage) => {
                server.stop().await;
                sleep(outage).await;
                server.start_again().await;
            }
            Self::WrongPassword(outage) => {
                server.stop().await;
                sleep(Duration::from_millis(500)).await;
                proxy.refuse(true);
                server.start_again().await;
                server.set_password(Some(OTHER_PASSWORD)).await;
                proxy.refuse(false);
                sleep(outage).await;
                server.set_password(None).await;
            }
            Self::Answer(outage, line) => {
                proxy.answer(Some(line));
                proxy.reset();
                sleep(outage).await;
                proxy.answer(None);
            }
            Self::Unreachable(outage) => {
                proxy.refuse(true);
                proxy.reset();
                sleep(outage).await;
                proxy.refuse(false);
            }
        }
    }
}

/// The result of one outage.
struct Ran {
    outage: Outage,
    /// How long each handler and stream took to receive something. `None` for a deaf one.
    heard_after: Vec<Option<Duration>>,
    unreported: u64,
}

impl Ran {
    fn is_deaf(&self) -> bool {
        self.heard_after.iter().any(Option::is_none)
    }
}

pub(crate) async fn run(context: Context) {
    let runs = Outage::all(&context)
        .into_iter()
        .map(|outage| one(&context, outage));
    let runs = join_all(runs).await;
    let deaf: Vec<_> = runs.iter().filter(|run| run.is_deaf()).collect();
    let names: Vec<_> = deaf.iter().map(|run| format!("{:?}", run.outage)).collect();
    let figure = Figure::new("P5", "deaf runs", deaf.len()).must_be(0);
    context.record(figure.detail(json!({
        "runs": runs.len(),
        "deaf": names,
        "deaf_after_seconds": DEAF.as_secs(),
    })));
    let times = runs.iter().flat_map(|run| &run.heard_after).flatten();
    let times = sorted(times.map(|time| ms(*time)));
    for (name, part) in [("p50", 0.5), ("max", 1.0)] {
        let what = format!("from a healthy server to the first message, {name}");
        let figure = Figure::new("P5", what, quantile(&times, part)).unit("ms");
        context.record(
            figure.detail(json!({"handlers_and_streams": times.len(), "deaf_runs": deaf.len()})),
        );
    }
    let unreported = runs.iter().map(|run| run.unreported).sum::<u64>();
    let figure = Figure::new("P5", "unreported losses over these outages", unreported);
    context.record(figure.must_be(0));
}

async fn one(context: &Context, outage: Outage) -> Ran {
    const BEFORE: u64 = 10;
    let server = context.server().await;
    let proxy = Proxy::start(server.addr(), context.seed).await;
    let lanes = Lane::eight();
    let setting = Setting::of(context, &lanes).with_streams();
    let listener = setting.start(&proxy.url()).await;
    let mut publisher = Publisher::connect(server.addr()).await;
    for number in 0..BEFORE {
        publish(&mut publisher, &lanes, number).await;
    }
    assert!(
        listener.catches_up(&[BEFORE; 8], DEAF).await,
        "nothing arrives before the outage"
    );
    outage.happen(&server, &proxy).await;
    let good = Instant::now();
    let mut publisher = Publisher::connect(server.addr()).await;
    let mut published = BEFORE;
    let hearing = listener.streams.iter().map(|stream| async move {
        let is_heard = stream.reaches(BEFORE, DEAF).await;
        is_heard.then(|| good.elapsed())
    });
    let heard_after = tokio::select! {
        heard_after = join_all(hearing) => heard_after,
        never = async {
            loop {
                publish(&mut publisher, &lanes, published).await;
                published += 1;
                sleep(Duration::from_millis(5)).await;
            }
        } => never,
    };
    if heard_after.iter().all(Option::is_some) {
        listener.catches_up(&[published; 8], DEAF).await;
    }
    let streams = listener.streams.iter();
    let unreported = streams.map(|stream| Ledger::of(&stream.events(), published).unreported);
    Ran {
        outage,
        heard_after,
        unreported: unreported.sum(),
    }
}

/// Publishes a number on every lane.
async fn publish(publisher: &mut Publisher, lanes: &[Lane], number: u64) {
    for lane in lanes {
        publisher.publish(&lane.channels[0], &payload(number, 0));
    }
    publisher.fence().await;
}
