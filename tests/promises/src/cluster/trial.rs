//! One scenario, under load.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use redis_push::{GapCause, Handle, Subscriber};
use tests::{ClusterShape, RealCluster, ServerBinary, within};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep};

use super::NODE_TIMEOUT;
use super::account::{Account, Acknowledged};
use super::load::Load;
use super::scenario::{Concerned, Scenario};
use crate::context::Context;
use crate::listener::subscribe;
use crate::panics;
use crate::stream::{Event, Lane, Stream, recorder};

/// How often the map of slots is asked for, and the links between the nodes.
pub(super) const LOOK: Duration = Duration::from_millis(500);
/// How long a subscriber has to notice what cannot be noticed at once: two looks, and one that waits for a node
/// that does not answer.
const SETTLED: Duration = Duration::from_secs(2);
/// How long a reader may take to receive something after all is well again.
const BACK: Duration = Duration::from_secs(10);

/// What came of a trial, or the sum of several.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) trials: u64,
    pub(super) account: Account,
    /// Readers that received nothing any more at the end.
    pub(super) deaf: u64,
    /// Readers of names that nothing has happened to, and that received a gap all the same.
    pub(super) unconcerned: u64,
    /// Readers of names that nothing has happened to, whose nodes had links that broke all the same, as they do
    /// on a busy machine.
    pub(super) by_chance: u64,
    /// Readers of names that had to move, and that received no gap.
    pub(super) untold: u64,
    /// Trials that ended by a panic, or not at all.
    pub(super) unended: u64,
    /// What is to be known of a trial that missed a target.
    pub(super) notes: Vec<String>,
}

impl Outcome {
    pub(super) fn of_panic(error: JoinError) -> Self {
        Self {
            unended: 1,
            notes: vec![panics::text_of(error)],
            ..Self::default()
        }
    }

    pub(super) fn plus(mut self, other: Self) -> Self {
        self.notes.extend(other.notes);
        Self {
            trials: self.trials + other.trials,
            account: self.account.plus(other.account),
            deaf: self.deaf + other.deaf,
            unconcerned: self.unconcerned + other.unconcerned,
            by_chance: self.by_chance + other.by_chance,
            untold: self.untold + other.untold,
            unended: self.unended + other.unended,
            notes: self.notes,
        }
    }
}

/// The lanes: six sharded channels, four channels and two patterns, of which each has a slot of its own.
pub(super) fn lanes() -> Vec<Lane> {
    let shards = ["a", "b", "c", "d", "e", "f"].map(|name| Lane::shard(&format!("s.{name}")));
    let channels = ["a", "b", "c", "d"].map(|name| Lane::channel(&format!("c.{name}")));
    let patterns = ["p", "q"].map(Lane::pattern);
    let lanes = shards.into_iter().chain(channels).chain(patterns);
    lanes.collect()
}

/// Runs a scenario in a cluster of its own. Without a trial, if the servers cannot do that.
pub(super) async fn run(context: Context, scenario: Scenario, round: usize) -> Outcome {
    let shape = ClusterShape {
        node_timeout: NODE_TIMEOUT,
        ..ClusterShape::default()
    };
    let cluster = Arc::new(RealCluster::start_with(&context.binary, shape).await);
    if !scenario.is_possible(&cluster).await {
        return Outcome::default();
    }
    let lanes = lanes();
    let readers = Readers::start(&cluster, &lanes).await;
    let load = Load::begin(&cluster, &lanes).await;
    sleep(Duration::from_millis(300)).await;
    let mut rng = context.rng(&format!("{}{round}", scenario.name()));
    let concerned = scenario.strike(&cluster, &lanes, &load, &mut rng).await;
    within("ready again", readers.handle.ready()).await;
    // What the links between the nodes have lost is reported at the next look.
    sleep(SETTLED).await;
    within("ready again", readers.handle.ready()).await;
    readers.outcome(&lanes, &load, &concerned, scenario).await
}

/// What a client has received of each lane.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heard {
    /// Messages that a server has acknowledged.
    pub acknowledged: u64,
    /// Acknowledged messages that were received.
    pub heard: u64,
    /// Acknowledged messages that were not received, where the client reported a gap.
    pub reported: u64,
    /// Acknowledged messages that were not received, where it reported nothing.
    pub unreported: u64,
    /// How many of those would be left if each notice of a disconnection counted as a gap.
    pub without_notice: u64,
    /// Messages that came again, or after a higher number, with no gap in between.
    pub disordered: u64,
    /// Lanes.
    pub lanes: u64,
    /// Lanes that nothing comes from any more at the end.
    pub deaf: u64,
}

/// Lets another client go through a scenario. `start` subscribes to the lanes at a cluster with these URLs,
/// and has what it receives added to the streams. Returns `None` if the servers cannot do that.
///
/// # Panics
///
/// If the cluster does not come up in time.
pub async fn peer<P>(
    binary: &ServerBinary,
    scenario: Scenario,
    seed: u64,
    start: impl AsyncFnOnce(Vec<String>, Vec<(Lane, Stream)>) -> P,
) -> Option<Heard> {
    let shape = ClusterShape {
        node_timeout: NODE_TIMEOUT,
        ..ClusterShape::default()
    };
    let cluster = Arc::new(RealCluster::start_with(binary, shape).await);
    if !scenario.is_possible(&cluster).await {
        return None;
    }
    let lanes = lanes();
    let streams: Vec<_> = lanes.iter().map(|_| Stream::new()).collect();
    let both = lanes.iter().cloned().zip(streams.iter().cloned()).collect();
    let client = within("the start", start(cluster.urls(), both)).await;
    let load = Load::begin(&cluster, &lanes).await;
    sleep(Duration::from_millis(300)).await;
    let mut rng = fastrand::Rng::with_seed(seed);
    scenario.strike(&cluster, &lanes, &load, &mut rng).await;
    sleep(SETTLED).await;
    let end = Instant::now() + BACK;
    let mut sum = Heard::default();
    for (lane, stream) in streams.iter().enumerate() {
        let acknowledged = load.acknowledged(lane);
        let last = acknowledged.last().map_or(0, |one| one.number);
        let left = end.saturating_duration_since(Instant::now());
        let left = left.max(Duration::from_millis(100));
        sum.deaf += u64::from(!stream.reaches(last + 1, left).await);
        let events = stream.events();
        let account = Account::of(&events, &acknowledged);
        sum.lanes += 1;
        sum.acknowledged += acknowledged.len() as u64;
        sum.heard += account.heard;
        sum.reported += account.reported;
        sum.unreported += account.unreported;
        sum.disordered += account.twice + account.disordered;
        let notices = events.into_iter().map(Event::or_gap).collect::<Vec<_>>();
        sum.without_notice += Account::of(&notices, &acknowledged).unreported;
    }
    drop(client);
    Some(sum)
}

/// A handler and a stream of each lane.
struct Readers {
    handle: Handle,
    /// Those of the handlers, and then those of the streams.
    streams: Vec<Stream>,
    _tasks: JoinSet<()>,
}

impl Readers {
    async fn start(cluster: &RealCluster, lanes: &[Lane]) -> Self {
        let recorders = lanes.iter().map(|lane| recorder(lane.spec()));
        let (mounts, mut streams): (Vec<_>, Vec<_>) = recorders.unzip();
        let subscriber = subscriber_of(cluster).handlers(mounts);
        let handle = within("the start", subscriber.start()).await;
        let handle = handle.expect("a start");
        let mut tasks = JoinSet::new();
        for lane in lanes {
            streams.push(subscribe(&handle, lane, &mut tasks).await);
        }
        Self {
            handle,
            streams,
            _tasks: tasks,
        }
    }

    /// Waits until each reader has the last message, and sums up.
    async fn outcome(
        self,
        lanes: &[Lane],
        load: &Load,
        concerned: &Concerned,
        scenario: Scenario,
    ) -> Outcome {
        let mut outcome = Outcome {
            trials: 1,
            ..Outcome::default()
        };
        let end = Instant::now() + BACK;
        for (index, stream) in self.streams.iter().enumerate() {
            let lane = index % lanes.len();
            let acknowledged = load.acknowledged(lane);
            let last = acknowledged.last().map_or(0, |one| one.number);
            let left = end.saturating_duration_since(Instant::now());
            // Once the others have had their time, it is a second for each.
            let left = left.max(Duration::from_secs(1));
            let is_deaf = !stream.reaches(last + 1, left).await;
            let account = Account::of(&stream.events(), &acknowledged);
            let is_told = !account.gaps.is_empty();
            let is_untold = concerned.must.contains(&lane) && !is_told;
            let mut others = account.gaps.iter().filter(|gap| gap.cause != GapCause::Bus);
            let is_bystander = is_told && !concerned.may.contains(&lane);
            let is_unconcerned = is_bystander && others.next().is_some();
            outcome.by_chance += u64::from(is_bystander && !is_unconcerned);
            let is_wrong =
                account.unreported + account.outside + account.twice + account.disordered;
            if is_deaf || is_untold || is_unconcerned || is_wrong > 0 {
                let what = if index < lanes.len() {
                    "handler"
                } else {
                    "stream"
                };
                let note = format!(
                    "{what} of {}: deaf {is_deaf}, untold {is_untold}, unconcerned {is_unconcerned}, {}",
                    lanes[lane].name,
                    told(&account, &stream.events(), &acknowledged),
                );
                eprintln!("{}: {note}", scenario.name());
                outcome.notes.push(note);
            }
            outcome.deaf += u64::from(is_deaf);
            outcome.untold += u64::from(is_untold);
            outcome.unconcerned += u64::from(is_unconcerned);
            outcome.account = outcome.account.plus(account);
        }
        outcome
    }
}

/// What is wrong with an account, in times since the first acknowledged message.
fn told(account: &Account, events: &[Event], acknowledged: &[Acknowledged]) -> String {
    let begin = acknowledged.first().map(|one| one.sent);
    let since = |time: SystemTime| {
        let since = begin.and_then(|begin| time.duration_since(begin).ok());
        since.unwrap_or_default().as_millis()
    };
    let heard = events.iter().filter_map(|event| match event {
        Event::Message(number) => Some(*number),
        _ => None,
    });
    let is_heard: HashSet<_> = heard.collect();
    let mut lost = acknowledged
        .iter()
        .filter(|one| !is_heard.contains(&one.number));
    let first = lost.next().map(|one| (one.number, since(one.sent)));
    let last = lost
        .next_back()
        .map(|one| (one.number, since(one.answered)));
    let gaps = account
        .gaps
        .iter()
        .map(|gap| format!("{:?} {}-{}", gap.cause, since(gap.since), since(gap.until)));
    let gaps: Vec<_> = gaps.collect();
    let Account {
        heard,
        reported,
        outside,
        unreported,
        twice,
        disordered,
        ..
    } = account;
    format!(
        "{heard} heard, {reported} reported, {outside} outside, {unreported} unreported, {twice} twice, \
         {disordered} disordered; number and ms of the first and last loss: {first:?}, {last:?}; gaps in ms: \
         {gaps:?}"
    )
}

pub(super) fn subscriber_of(cluster: &RealCluster) -> Subscriber {
    Subscriber::cluster(cluster.urls())
        .start_deadline(Duration::from_secs(20))
        .topology_interval(LOOK)
        .ping(Duration::from_millis(250), Duration::from_secs(3))
        .reconnect_delay(Duration::from_millis(10), Duration::from_millis(200))
}
