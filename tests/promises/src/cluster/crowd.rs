//! C10: ten thousand names of one node, whose slots get another owner.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use redis_push::{Fault, Gap, GapCause, Handle, Handler, Mount, Push, Spec, Subscription};
use serde_json::json;
use tests::{ClusterShape, Node, RealCluster, eventually, within};
use tokio::time::{Instant, sleep};

use super::trial::subscriber_of;
use super::{Context, Figure, NODE_TIMEOUT, apart, ms, quantile, sorted};

const TAGS: usize = 100;
const NAMES_OF_A_TAG: usize = 100;

/// A handler of all the names.
struct Crowd {
    names: Vec<String>,
    heard: Heard,
}

/// What the crowd has received.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Record>>);

#[derive(Default)]
struct Record {
    /// The names that have received the present message.
    names: BTreeSet<Vec<u8>>,
    gaps: Vec<Gap>,
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handler<()> for Crowd {
    fn spec(&self) -> Spec {
        let names: Vec<_> = self
            .names
            .iter()
            .cloned()
            .map(Subscription::shard)
            .collect();
        Spec::new("crowd").on_all(&names)
    }

    async fn handle(&self, push: Push<'_>, _state: &()) -> Result<(), Fault> {
        self.heard.lock().names.insert(push.channel().to_vec());
        Ok(())
    }

    async fn handle_gap(&self, gap: &Gap, _state: &()) -> Result<(), Fault> {
        if gap.cause != GapCause::Initial {
            self.heard.lock().gaps.push(gap.clone());
        }
        Ok(())
    }
}

pub(super) async fn run(context: &Context, rounds: usize) {
    let mut times = Vec::new();
    let mut deaf = 0;
    for _ in 0..rounds {
        let context = context.clone();
        let trial = apart(|| async move { trial(&context).await });
        let (time, still_deaf) = trial.await.expect("a trial");
        times.push(ms(time));
        deaf += still_deaf;
    }
    let times = sorted(times);
    let names = TAGS * NAMES_OF_A_TAG;
    let detail = json!({"names": names, "rounds": rounds});
    for (name, part) in [("p50", 0.5), ("max", 1.0)] {
        let what = format!("C10, 10,000 names change their owner: back after, {name}");
        let figure = Figure::new("P19", what, quantile(&times, part)).unit("ms");
        let figure = match part {
            1.0 => figure.at_most(2_000),
            _ => figure,
        };
        context.record(figure.detail(detail.clone()));
    }
    let figure = Figure::new(
        "P19",
        "C10, 10,000 names change their owner: deaf names",
        deaf,
    );
    context.record(figure.must_be(0).detail(detail));
}

/// Returns how long after the promotion all names were back, and how many are not.
async fn trial(context: &Context) -> (Duration, usize) {
    let shape = ClusterShape {
        node_timeout: NODE_TIMEOUT,
        ..ClusterShape::default()
    };
    let cluster = RealCluster::start_with(&context.binary, shape).await;
    let owner = cluster.primaries().await.swap_remove(0);
    let names = names_at(&cluster, &owner).await;
    let heard = Heard::default();
    let crowd = Crowd {
        names: names.clone(),
        heard: heard.clone(),
    };
    let subscriber = subscriber_of(&cluster).handlers([Mount::new(crowd)]);
    let handle = within("the start", subscriber.start()).await;
    let handle = handle.expect("a start");
    let deaf_before = deaf(&owner, &names, &heard, &handle).await;
    let replica = cluster.replicas_of(&owner).await.swap_remove(0);
    let promotion = async {
        eventually("the promotion", async || !replica.is_replica().await).await;
        SystemTime::now()
    };
    let (promoted, new) = tokio::join!(promotion, cluster.fail_over(&owner));
    eventually("a gap", async || !heard.lock().gaps.is_empty()).await;
    let deaf = deaf_before + deaf(&new, &names, &heard, &handle).await;
    let back = heard
        .lock()
        .gaps
        .iter()
        .map(|gap| gap.until)
        .max()
        .expect("a gap");
    (back.duration_since(promoted).unwrap_or_default(), deaf)
}

/// Names in a hundred slots of a node.
async fn names_at(cluster: &RealCluster, node: &Node) -> Vec<String> {
    let mut names = Vec::new();
    let slots = cluster.slots_of(node).await;
    for number in 0.. {
        if names.len() == TAGS * NAMES_OF_A_TAG {
            break;
        }
        let tag = format!("{{{number}}}");
        let slot = cluster.slot_of(&tag).await;
        if slots.iter().any(|slots| slots.contains(&slot)) {
            names.extend((0..NAMES_OF_A_TAG).map(|index| format!("{tag}.{index}")));
        }
    }
    names
}

/// Returns how many names receive nothing, though no gap says that they are being subscribed again.
async fn deaf(owner: &Node, names: &[String], heard: &Heard, handle: &Handle) -> usize {
    loop {
        within("ready", handle.ready()).await;
        let gaps = || heard.lock().gaps.len();
        let before = gaps();
        let deaf = silent(owner, names, heard).await;
        if deaf == 0 || gaps() == before {
            return deaf;
        }
    }
}

/// Publishes to each name, and returns how many of them have received nothing.
async fn silent(owner: &Node, names: &[String], heard: &Heard) -> usize {
    heard.lock().names.clear();
    let mut connection = owner.connect().await;
    for names in names.chunks(1_000) {
        let mut pipeline = redis::pipe();
        for name in names {
            pipeline.cmd("SPUBLISH").arg(name).arg("1").ignore();
        }
        let published = pipeline.exec_async(&mut connection);
        within("the publisher's replies", published)
            .await
            .expect("published");
    }
    // The pause after which nothing more comes.
    const QUIET: Duration = Duration::from_secs(3);
    let left = || names.len() - heard.lock().names.len();
    let (mut last, mut since) = (left(), Instant::now());
    while left() > 0 && since.elapsed() < QUIET {
        sleep(Duration::from_millis(2)).await;
        if left() < last {
            (last, since) = (left(), Instant::now());
        }
    }
    left()
}
