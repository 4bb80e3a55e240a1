//! Numbered messages across a failover: which were lost, which came twice, and what the gaps say of them.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use redis_push::{
    Fault, Gap, GapCause, Handle, Handler, Mount, Publisher, Push, Spec, Subscriber, Subscription,
};
use tests::{RealSentinels, RealServer, eventually, within};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::support::*;

const CHANNEL: &str = "numbered";
const LENDING: &str = "lending";

/// A subscriber that hears the numbers, and a task that publishes them.
pub(crate) struct Numbered {
    pub(crate) handle: Handle,
    journal: Journal,
    stop: oneshot::Sender<()>,
    publishing: JoinHandle<Vec<Published>>,
}

/// Lends the publisher of the subscriber.
struct Lender(UnboundedSender<Publisher>);

impl Handler<()> for Lender {
    fn spec(&self) -> Spec {
        Spec::new("lender").on(Subscription::channel(LENDING))
    }

    async fn handle(&self, push: Push<'_>, _state: &()) -> Result<(), Fault> {
        let publisher = push.publisher().expect("a publisher").clone();
        let _ = self.0.send(publisher);
        Ok(())
    }
}

/// One message that the server has acknowledged.
struct Published {
    number: u64,
    sent: SystemTime,
    answered: SystemTime,
}

/// What came of the numbers.
#[derive(Debug)]
pub(crate) struct Account {
    /// How many the server has acknowledged.
    pub(crate) published: usize,
    /// How many of those that were acknowledged were not heard, inside gaps and outside of them.
    pub(crate) in_gaps: usize,
    pub(crate) unreported: Vec<u64>,
    pub(crate) twice: usize,
    pub(crate) out_of_order: usize,
    pub(crate) gaps: Vec<Gap>,
}

impl Numbered {
    /// Begins to publish with a publisher of its own, or with that of the subscriber.
    pub(crate) async fn begin(
        subscriber: Subscriber,
        sentinels: &RealSentinels,
        publisher: Option<Publisher>,
    ) -> Self {
        let (mount, mut journal) = recorder("numbered", Subscription::channel(CHANNEL));
        let (lender, mut lent) = unbounded_channel();
        let subscriber = subscriber.handlers([mount, Mount::new(Lender(lender))]);
        let handle = within("the start", subscriber.start()).await.unwrap();
        journal.begins().await;
        let primary = sentinels.primary().await;
        primary.command(&["PUBLISH", LENDING, "please"]).await;
        let of_the_subscriber = within("its publisher", lent.recv()).await.unwrap();
        let publisher = publisher.unwrap_or(of_the_subscriber);
        let (stop, stopped) = oneshot::channel();
        let publishing = tokio::spawn(publish(publisher, stopped));
        Self {
            handle,
            journal,
            stop,
            publishing,
        }
    }

    /// Waits until the old primary is lost, and every name confirmed at the new one.
    pub(crate) async fn is_over(&self) {
        eventually("the loss to be counted", async || {
            self.handle.stats().feed.reconnects > 0
        })
        .await;
        within("ready again", self.handle.ready()).await;
    }

    /// Stops publishing, waits for the last message, and sums up.
    pub(crate) async fn end(self) -> Account {
        // So that the last ones are heard after every gap.
        sleep(Duration::from_millis(200)).await;
        let _ = self.stop.send(());
        let published = within("the publisher to end", self.publishing)
            .await
            .unwrap();
        let last = published.last().expect("some messages").number;
        let mut journal = self.journal;
        let mut seen = Vec::new();
        while !seen.last().is_some_and(|one| is_number(one, last)) {
            seen.push(journal.next().await);
        }
        Account::of(&published, seen)
    }
}

fn is_number(seen: &Seen, number: u64) -> bool {
    matches!(seen, Seen::Message(_, text) if *text == number.to_string())
}

async fn publish(publisher: Publisher, mut stopped: oneshot::Receiver<()>) -> Vec<Published> {
    let publisher = publisher.timeout(Duration::from_secs(5));
    let mut published = Vec::new();
    for number in 0.. {
        let sent = SystemTime::now();
        // One that is not known to be published is not counted, and may be heard all the same.
        if publisher
            .publish_to(CHANNEL, &*number.to_string())
            .await
            .is_ok()
        {
            let answered = SystemTime::now();
            published.push(Published {
                number,
                sent,
                answered,
            });
            // The last one is acknowledged, so that it is heard.
            if stopped.try_recv().is_ok() {
                break;
            }
        }
        sleep(Duration::from_millis(1)).await;
    }
    published
}

impl Account {
    fn of(published: &[Published], seen: Vec<Seen>) -> Self {
        let (mut heard, mut gaps) = (Vec::new(), Vec::new());
        for one in seen {
            match one {
                Seen::Message(_, text) => heard.push(text.parse::<u64>().unwrap()),
                Seen::Gap(gap) => gaps.push(gap),
            }
        }
        let distinct: BTreeSet<_> = heard.iter().copied().collect();
        let missing = published
            .iter()
            .filter(|one| !distinct.contains(&one.number));
        let is_in_gap = |one: &&Published| {
            let overlaps = |gap: &Gap| gap.since <= one.answered && one.sent <= gap.until;
            gaps.iter().any(overlaps)
        };
        let (in_gaps, unreported): (Vec<_>, Vec<_>) = missing.partition(is_in_gap);
        Self {
            published: published.len(),
            in_gaps: in_gaps.len(),
            unreported: unreported.iter().map(|one| one.number).collect(),
            twice: heard.len() - distinct.len(),
            out_of_order: heard.windows(2).filter(|pair| pair[0] > pair[1]).count(),
            gaps,
        }
    }

    /// Asserts that everything that was not heard is reported, that nothing came twice, and that there was
    /// one gap for each link at most.
    pub(crate) fn assert_reported(&self) {
        assert_eq!(self.unreported, [0; 0], "{self:?}");
        assert_eq!((self.twice, self.out_of_order), (0, 0), "{self:?}");
        let is_lost = |gap: &Gap| gap.cause == GapCause::ConnectionLost;
        assert!(
            !self.gaps.is_empty() && self.gaps.iter().all(is_lost),
            "{self:?}"
        );
    }

    /// Prints how long after a moment the subscription was live again.
    pub(crate) fn report(&self, what: &str, promoted: SystemTime) {
        let until = self.gaps.last().map(|gap| gap.until);
        let deaf = until.and_then(|until| until.duration_since(promoted).ok());
        let length = self
            .gaps
            .last()
            .and_then(|gap| gap.until.duration_since(gap.since).ok());
        eprintln!(
            "{what}: live {} ms after the promotion, gap of {} ms; {} published, {} in gaps, {} not \
             reported, {} twice",
            deaf.unwrap_or_default().as_millis(),
            length.unwrap_or_default().as_millis(),
            self.published,
            self.in_gaps,
            self.unreported.len(),
            self.twice,
        );
    }
}

/// Returns when another server than this one says that it is the primary.
pub(crate) async fn promotion(sentinels: &RealSentinels, old: &RealServer) -> SystemTime {
    let others = sentinels.servers().iter();
    let others: Vec<_> = others
        .filter(|server| server.addr() != old.addr())
        .collect();
    eventually("another server to be promoted", async || {
        for server in &others {
            if let Ok(true) = timeout(Duration::from_secs(1), is_primary(server)).await {
                return true;
            }
        }
        false
    })
    .await;
    SystemTime::now()
}

/// Whether a server says that it is the primary. One whose role changes closes its connections.
async fn is_primary(server: &RealServer) -> bool {
    let role = async {
        let mut connection = server.connect().await?;
        redis::cmd("ROLE")
            .query_async::<Vec<redis::Value>>(&mut connection)
            .await
    };
    let is = |role: Vec<redis::Value>| role[0] == redis::Value::BulkString("master".into());
    role.await.is_ok_and(is)
}
