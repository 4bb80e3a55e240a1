//! P1: whatever handlers do, every message received is accounted for.

use redis_push::Stats;
use redis_push::testing::Broker;
use serde_json::json;
use tests::Server;

use crate::chaos::Counts;
use crate::context::Context;
use crate::figure::Figure;
use crate::schedule::Schedule;

/// How many schedules run concurrently, each on its own broker. One more runs on the real server.
const WORKERS: usize = 6;

/// The results of schedules.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums {
    pub(crate) schedules: u64,
    pub(crate) received: u64,
    pub(crate) dropped: u64,
    pub(crate) cancelled: u64,
    pub(crate) disconnects: u64,
    pub(crate) looks: u64,
    /// Looks at which a handler had more messages accounted for than received.
    pub(crate) unequal: u64,
    /// Handlers whose counts did not add up at a quiet moment or after a shutdown.
    pub(crate) uneven: u64,
    /// Handlers whose counts differed from what they had counted themselves.
    pub(crate) untrue: u64,
}

impl Sums {
    fn plus(self, other: Self) -> Self {
        Self {
            schedules: self.schedules + other.schedules,
            received: self.received + other.received,
            dropped: self.dropped + other.dropped,
            cancelled: self.cancelled + other.cancelled,
            disconnects: self.disconnects + other.disconnects,
            looks: self.looks + other.looks,
            unequal: self.unequal + other.unequal,
            uneven: self.uneven + other.uneven,
            untrue: self.untrue + other.untrue,
        }
    }

    /// Adds the counts in the report of a shutdown, compared with the handlers' own counts.
    pub(crate) fn add_report(&mut self, stats: &Stats, counts: &[Counts]) {
        for (entry, counts) in stats.handlers.iter().zip(counts) {
            self.received += entry.received;
            self.dropped += entry.dropped;
            self.cancelled += entry.cancelled;
            let is_even = entry.received == entry.accounted();
            let is_over = entry.queued + entry.running == 0;
            self.uneven += u64::from(!is_even || !is_over);
            self.untrue += u64::from(!counts.are_those_of(entry));
        }
    }
}

pub(crate) async fn run(context: Context) {
    let on_brokers = context.pick(540, 9_000);
    let on_server = context.pick(60, 1_000);
    let mut workers = tokio::task::JoinSet::new();
    for index in 0..WORKERS {
        let context = context.clone();
        let broker = Broker::start().await.expect("a free port");
        workers.spawn(work(
            context,
            Server::Broker(broker),
            index,
            on_brokers / WORKERS,
        ));
    }
    let server = Server::Real(context.server().await);
    workers.spawn(work(context.clone(), server, WORKERS, on_server));
    let all = workers.join_all().await;
    let sums = all.into_iter().fold(Sums::default(), Sums::plus);
    let detail = json!({
        "schedules": sums.schedules,
        "on_the_real_server": on_server,
        "received": sums.received,
        "dropped": sums.dropped,
        "cancelled": sums.cancelled,
        "disconnects": sums.disconnects,
        "looks": sums.looks,
    });
    let uneven = Figure::new("P1", "violations at quiet moments", sums.uneven).must_be(0);
    context.record(uneven.detail(detail));
    let unequal = Figure::new(
        "P1",
        "violations of the inequality at any moment",
        sums.unequal,
    );
    context.record(unequal.must_be(0));
    let untrue = Figure::new(
        "P1",
        "accounts that differ from what handlers counted",
        sums.untrue,
    );
    context.record(untrue.must_be(0));
}

/// Runs schedules one after another.
async fn work(context: Context, server: Server, index: usize, schedules: usize) -> Sums {
    let mut rng = context.rng(&format!("P1 {index}"));
    let mut sums = Sums::default();
    for number in 0..schedules {
        let schedule = Schedule::new(rng.u64(..), &format!("{index}.{number}"));
        let ran = schedule.run(&context, &server).await;
        if ran.unequal + ran.uneven + ran.untrue > 0 {
            eprintln!("P1: schedule {number} of worker {index} does not hold: {ran:?}");
        }
        sums = sums.plus(ran);
    }
    sums
}
