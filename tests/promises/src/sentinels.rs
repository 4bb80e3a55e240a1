//! P20: failovers by sentinels.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use redis_push::{Fault, Handler, Kind, Mount, Publisher, Push, Spec, Subscriber, Subscription};
use serde_json::json;
use tests::{RealSentinels, RealServer, eventually, within};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::cluster::account::{Account, Acknowledged};
use crate::context::{Context, apart, ms, quantile, sorted};
use crate::figure::Figure;
use crate::stream::{Lane, Stream, recorder};
use crate::subject::Subject;

/// How often each sentinel is asked, which is the default.
const LOOK: Duration = Duration::from_secs(1);
/// How long a reader may take to receive something after all is well again.
const BACK: Duration = Duration::from_secs(10);
const LENDING: &str = "lending";

#[derive(Clone, Copy, Debug)]
enum Failover {
    Planned,
    Killed,
    Frozen,
}

impl Failover {
    const ALL: [(Self, &str); 3] = [
        (Self::Planned, "planned failover"),
        (Self::Killed, "the primary is killed"),
        (Self::Frozen, "the primary freezes and returns"),
    ];
}

/// What came of a failover.
#[derive(Default)]
struct Outcome {
    account: Account,
    /// How long after the promotion the readers were live again.
    back: Vec<Duration>,
    deaf: u64,
}

pub(crate) async fn run(context: Context) {
    let rounds = context.rounds(1, 20);
    let mut sum = Outcome::default();
    for (failover, name) in Failover::ALL {
        let mut back = Vec::new();
        for _ in 0..rounds {
            let context = context.clone();
            let outcome = apart(move || trial(context, failover))
                .await
                .expect("a trial");
            sum.account = sum.account.plus(outcome.account);
            sum.deaf += outcome.deaf;
            back.extend(outcome.back);
        }
        let back = sorted(back.into_iter().map(ms));
        for (quantile_name, part) in [("p50", 0.5), ("max", 1.0)] {
            let what = format!("C11, {name}: live again after the promotion, {quantile_name}");
            let figure = Figure::new("P20", what, quantile(&back, part)).unit("ms");
            let figure = match part {
                // A look, and what it takes to connect and subscribe. Without looks it would be 10 s.
                1.0 => figure.at_most(ms(LOOK) + 500.0),
                _ => figure,
            };
            context.record(figure.detail(json!({"rounds": rounds})));
        }
    }
    let account = &sum.account;
    let lengths = sorted(account.lengths().map(ms));
    let detail = json!({
        "heard": account.heard,
        "reported": account.reported,
        "unacknowledged": account.unacknowledged,
        "gaps": lengths.len(),
        "gap_p50_ms": quantile(&lengths, 0.5),
        "gap_max_ms": quantile(&lengths, 1.0),
    });
    let targets = [
        ("C11: unreported losses", account.unreported),
        ("C11: losses outside of their gap", account.outside),
        ("C11: duplicates", account.twice),
        ("C11: inversions", account.disordered),
        ("C11: readers that are deaf at the end", sum.deaf),
    ];
    for (what, count) in targets {
        context.record(
            Figure::new("P20", what, count)
                .must_be(0)
                .detail(detail.clone()),
        );
    }
}

async fn trial(context: Context, failover: Failover) -> Outcome {
    let sentinels = RealSentinels::start(&context.binary).await;
    let old = sentinels.primary().await;
    let lanes = [
        Lane::channel("a"),
        Lane::channel("b"),
        Lane::pattern("wide"),
        Lane::shard("s"),
    ];
    let recorders = lanes.iter().map(|lane| recorder(lane.spec()));
    let (mut mounts, streams): (Vec<_>, Vec<_>) = recorders.unzip();
    let lender = Lender::default();
    mounts.push(Mount::new(lender.clone()));
    let subscriber = Subscriber::sentinel(RealSentinels::NAME, sentinels.urls())
        .start_deadline(Duration::from_secs(20))
        .topology_interval(LOOK)
        .ping(Duration::from_millis(250), Duration::from_secs(5))
        .reconnect_delay(Duration::from_millis(10), Duration::from_secs(2))
        .handlers(mounts);
    let subscriber = match context.subject {
        Subject::Wire => subscriber.wire(),
        _ => subscriber,
    };
    let handle = within("the start", subscriber.start()).await;
    let handle = handle.expect("a start");
    old.command(&["PUBLISH", LENDING, "please"]).await;
    let mut publisher = None;
    eventually("a publisher", async || {
        publisher = lender.lent();
        publisher.is_some()
    })
    .await;
    let (stop, stopped) = oneshot::channel();
    let publishing = tokio::spawn(publish(
        publisher.expect("a publisher"),
        lanes.to_vec(),
        stopped,
    ));
    sleep(Duration::from_millis(200)).await;
    let promoted = strike(failover, &sentinels, old).await;
    eventually("the loss to be counted", async || {
        handle.stats().feed.reconnects > 0
    })
    .await;
    within("ready again", handle.ready()).await;
    if let Failover::Frozen = failover {
        sentinels.thaw(old);
        // It takes itself for the primary until a sentinel tells it otherwise.
        sleep(Duration::from_secs(1)).await;
    }
    sleep(Duration::from_millis(300)).await;
    let _ = stop.send(());
    let published = within("the publisher to end", publishing).await;
    sum_up(&streams, &published.expect("the publisher"), promoted).await
}

async fn sum_up(
    streams: &[Stream],
    published: &[Vec<Acknowledged>],
    promoted: SystemTime,
) -> Outcome {
    let mut outcome = Outcome::default();
    for (stream, acknowledged) in streams.iter().zip(published) {
        let last = acknowledged.last().map_or(0, |one| one.number);
        outcome.deaf += u64::from(!stream.reaches(last, BACK).await);
        let account = Account::of(&stream.events(), acknowledged);
        let until = account.gaps.iter().map(|gap| gap.until).max();
        let back = until.and_then(|until| until.duration_since(promoted).ok());
        outcome.back.push(back.unwrap_or_default());
        outcome.account = outcome.account.plus(account);
    }
    outcome
}

/// Has the primary replaced, and returns when another server was promoted.
async fn strike(failover: Failover, sentinels: &RealSentinels, old: &RealServer) -> SystemTime {
    match failover {
        Failover::Planned => {
            let (promoted, _) = tokio::join!(promotion(sentinels, old), sentinels.fail_over());
            return promoted;
        }
        Failover::Killed => sentinels.kill(old).await,
        Failover::Frozen => sentinels.freeze(old),
    }
    promotion(sentinels, old).await
}

/// Returns when another server says that it is the primary.
async fn promotion(sentinels: &RealSentinels, old: &RealServer) -> SystemTime {
    eventually("another server to be promoted", async || {
        for server in sentinels.servers() {
            let role = timeout(Duration::from_millis(500), server.ask(&["ROLE"]));
            if server.addr() != old.addr()
                && let Ok(Ok(redis::Value::Array(role))) = role.await
                && role.first() == Some(&redis::Value::BulkString("master".into()))
            {
                return true;
            }
        }
        false
    })
    .await;
    SystemTime::now()
}

/// Publishes numbers to each lane in its turn. Returns what was acknowledged.
async fn publish(
    publisher: Publisher,
    lanes: Vec<Lane>,
    mut stopped: oneshot::Receiver<()>,
) -> Vec<Vec<Acknowledged>> {
    let publisher = publisher.timeout(Duration::from_secs(2));
    let mut published = vec![Vec::new(); lanes.len()];
    for number in 0.. {
        let mut are_all_acknowledged = true;
        for (lane, published) in lanes.iter().zip(&mut published) {
            let channel = lane.channels[number as usize % lane.channels.len()].as_str();
            let sent = SystemTime::now();
            let text = number.to_string();
            let publishing = match lane.subscription.kind() {
                Kind::Shard => publisher.publish_to_shard(channel, &*text),
                _ => publisher.publish_to(channel, &*text),
            };
            // One that is not known to be published is not sent again, and may be received all the same.
            match publishing.await {
                Ok(_) => published.push(Acknowledged {
                    number,
                    at: 0,
                    sent,
                    answered: SystemTime::now(),
                }),
                Err(_) => are_all_acknowledged = false,
            }
        }
        if are_all_acknowledged && stopped.try_recv().is_ok() {
            break;
        }
        sleep(Duration::from_millis(1)).await;
    }
    published
}

/// Lends the publisher of the subscriber, which goes where the subscriber goes.
#[derive(Clone, Default)]
struct Lender(Arc<Mutex<Option<Publisher>>>);

impl Lender {
    fn lent(&self) -> Option<Publisher> {
        self.0.lock().expect("no panic").clone()
    }
}

impl Handler<()> for Lender {
    fn spec(&self) -> Spec {
        Spec::new("lender").on(Subscription::channel(LENDING))
    }

    async fn handle(&self, push: Push<'_>, _state: &()) -> Result<(), Fault> {
        *self.0.lock().expect("no panic") = push.publisher().cloned();
        Ok(())
    }
}
