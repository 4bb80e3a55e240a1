//! P14: streams that come and go keep what handlers promise, and leave nothing behind.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use redis_push::{Bytes, Event, EventStream, Handle, Subscription};
use serde_json::json;
use tests::{RealServer, within};
use tokio::task::{JoinSet, unconstrained};
use tokio::time::sleep;

use crate::context::{Context, ms};
use crate::figure::Figure;
use crate::publisher::Publisher;

const NAMES: usize = 1_000;
/// How many of the names are denied.
const DENIED: usize = 5;
/// The tasks that own the streams.
const OWNERS: usize = 100;
const LINGER: Duration = Duration::from_millis(200);

/// What the streams have received that they should not, or have not that they should.
#[derive(Default)]
struct Sums {
    begun: AtomicU64,
    messages: AtomicU64,
    gaps: AtomicU64,
    /// Messages that are missing without a gap.
    untold: AtomicU64,
    duplicates: AtomicU64,
    /// Denied names that gave a stream, and others that did not.
    wrong_answers: AtomicU64,
}

/// The number of the last message that was published on each name.
type Published = Arc<Vec<AtomicU64>>;

fn name(number: usize) -> String {
    format!("room.{number}")
}

/// A stream, with what is expected next.
struct Reader {
    stream: EventStream<Bytes>,
    name: usize,
    /// Whether the initial gap has come.
    has_begun: bool,
    /// The next message has this number; the first one may have a lower one.
    due: u64,
    last: Option<u64>,
    /// Whether messages may be missing before the next one.
    may_jump: bool,
    /// Whether it reads only now and then.
    is_slow: bool,
}

impl Reader {
    async fn begin(
        handle: &Handle,
        name: usize,
        sums: &Sums,
        rng: &mut fastrand::Rng,
    ) -> Option<Self> {
        let channel = Subscription::channel(self::name(name));
        let stream = match handle.subscribe(channel).buffer(rng.usize(1..300)).await {
            Ok(_) if name < DENIED => {
                sums.wrong_answers.fetch_add(1, Relaxed);
                return None;
            }
            Ok(stream) => stream,
            Err(error) => {
                let is_right = name < DENIED && error.is_denied();
                sums.wrong_answers.fetch_add(u64::from(!is_right), Relaxed);
                return None;
            }
        };
        sums.begun.fetch_add(1, Relaxed);
        Some(Self {
            stream,
            name,
            due: 0,
            has_begun: false,
            last: None,
            may_jump: false,
            is_slow: rng.u8(..10) == 0,
        })
    }

    /// Reads what is there, and checks it.
    fn read(&mut self, published: &Published, sums: &Sums) {
        while let Some(Some(event)) = now_or_never(unconstrained(self.stream.next())) {
            match event {
                Event::Gap(_) => {
                    sums.gaps.fetch_add(1, Relaxed);
                    self.may_jump |= self.has_begun;
                    if !std::mem::replace(&mut self.has_begun, true) {
                        // What is published from now on must arrive.
                        self.due = published[self.name].load(Relaxed) + 1;
                    }
                }
                Event::Message(payload) => {
                    let number = str::from_utf8(&payload)
                        .ok()
                        .and_then(|text| text.parse().ok());
                    self.take(number.expect("a number"), sums);
                }
                _ => unreachable!("every payload is bytes"),
            }
        }
    }

    fn take(&mut self, number: u64, sums: &Sums) {
        sums.messages.fetch_add(1, Relaxed);
        if self.last.is_some_and(|last| number <= last) || !self.has_begun {
            sums.duplicates.fetch_add(1, Relaxed);
        } else if number > self.due && !self.may_jump {
            sums.untold.fetch_add(number - self.due, Relaxed);
        }
        (self.last, self.due, self.may_jump) = (Some(number), number + 1, false);
    }

    /// Whether everything has arrived, or a gap stands for it.
    fn has_all(&self, published: &Published) -> bool {
        self.has_begun && (self.may_jump || self.due > published[self.name].load(Relaxed))
    }
}

fn now_or_never<F: Future>(future: F) -> Option<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

pub(crate) async fn run(context: Context) {
    let time = Duration::from_secs(context.pick(8, 60));
    let streams = context.pick(2_000, 10_000);
    let mut rng = context.rng("P14");
    let server = context.server().await;
    let subscriber = context
        .subscriber(server.url())
        .linger(LINGER)
        .start_deadline(Duration::from_secs(30))
        .reconnect_delay(Duration::from_millis(10), Duration::from_millis(100));
    let handle = within("the start", subscriber.start())
        .await
        .expect("a start");
    burst(&context, &handle, &server).await;
    deny(&server).await;

    let published: Published = Arc::new((0..NAMES).map(|_| AtomicU64::new(0)).collect());
    let sums = Arc::new(Sums::default());
    let is_over = Arc::new(AtomicBool::new(false));
    let publishing = tokio::spawn(publish(
        Publisher::connect(server.addr()).await,
        Arc::clone(&published),
        Arc::clone(&is_over),
        fastrand::Rng::with_seed(rng.u64(..)),
    ));
    let mut owners = JoinSet::new();
    for _ in 0..OWNERS {
        owners.spawn(own(
            handle.clone(),
            streams / OWNERS,
            Arc::clone(&published),
            Arc::clone(&sums),
            Arc::clone(&is_over),
            fastrand::Rng::with_seed(rng.u64(..)),
        ));
    }
    let begun = Instant::now();
    let mut kills = 0;
    while begun.elapsed() < time {
        sleep(Duration::from_millis(rng.u64(500..3_000))).await;
        drop(server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await);
        kills += 1;
    }
    is_over.store(true, Relaxed);
    within("the publisher", publishing)
        .await
        .expect("it does not panic");
    let owned: Vec<Vec<Reader>> = owners.join_all().await;
    let mut readers: Vec<Reader> = owned.into_iter().flatten().collect();
    finish(&context, &handle, &server, &mut readers, &published, &sums).await;

    let load = |sum: &AtomicU64| sum.load(Relaxed);
    let untold = Figure::new("P14", "unreported losses of streams", load(&sums.untold));
    context.record(untold.must_be(0).detail(json!({
        "streams": load(&sums.begun),
        "messages": load(&sums.messages),
        "gaps": load(&sums.gaps),
        "kills": kills,
    })));
    let duplicates = Figure::new("P14", "duplicates and inversions", load(&sums.duplicates));
    context.record(duplicates.must_be(0));
    let wrong = Figure::new(
        "P14",
        "wrong answers to a subscribe",
        load(&sums.wrong_answers),
    );
    context.record(wrong.must_be(0));
}

/// Checks what is left when nothing is published any more, and after the last stream.
async fn finish(
    context: &Context,
    handle: &Handle,
    server: &RealServer,
    readers: &mut Vec<Reader>,
    published: &Published,
    sums: &Sums,
) {
    within("readiness", handle.ready()).await;
    let late = Instant::now() + Duration::from_secs(20);
    loop {
        readers
            .iter_mut()
            .for_each(|reader| reader.read(published, sums));
        if readers.iter().all(|reader| reader.has_all(published)) || Instant::now() > late {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    let missing = readers.iter().filter(|reader| !reader.has_all(published));
    let deaf = Figure::new("P14", "streams that are deaf at the end", missing.count());
    context.record(deaf.must_be(0));
    let wanted: BTreeSet<String> = readers.iter().map(|reader| name(reader.name)).collect();
    let differing = differing(server, &wanted).await;
    let figure = Figure::new(
        "P14",
        "names subscribed and not wanted, or wanted and not",
        differing,
    );
    context.record(figure.must_be(0).detail(json!({ "names": wanted.len() })));
    readers.clear();
    account(context, handle, sums);
    let left = self::differing(server, &BTreeSet::new()).await;
    let figure = Figure::new("P14", "names subscribed after the last stream", left);
    context.record(figure.must_be(0));
}

/// Checks that every message of a stream has become something, and those that it has returned `taken`.
fn account(context: &Context, handle: &Handle, sums: &Sums) {
    let streams = handle.stats().streams;
    let missing = streams.iter().map(|stats| {
        let become_something = stats.accounted() - stats.queued;
        stats.received.abs_diff(become_something)
    });
    let rooms: u64 = streams.iter().map(|stats| stats.taken).sum();
    let miscounted = rooms.abs_diff(sums.messages.load(Relaxed));
    let figure = Figure::new(
        "P14",
        "messages of streams that are not accounted for",
        missing.sum::<u64>() + miscounted,
    );
    let received: u64 = streams.iter().map(|stats| stats.received).sum();
    context.record(figure.must_be(0).detail(json!({ "received": received })));
}

/// Waits until the server's subscriptions are the wanted names. Returns by how many they differ, if they
/// do not become that.
async fn differing(server: &RealServer, wanted: &BTreeSet<String>) -> usize {
    let late = Instant::now() + LINGER + Duration::from_secs(10);
    loop {
        let channels = server.command(&["PUBSUB", "CHANNELS", "room.*"]).await;
        let channels: Vec<String> = redis::from_redis_value(channels).expect("names");
        let subscribed: BTreeSet<String> = channels.into_iter().collect();
        let differing = subscribed.symmetric_difference(wanted).count();
        if differing == 0 || Instant::now() > late {
            return differing;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Subscribes to many names at once, and counts the round trips.
async fn burst(context: &Context, handle: &Handle, server: &RealServer) {
    const BURST: usize = 10_000;
    let before = exchanges(server).await;
    let begun = Instant::now();
    let streams: Vec<_> = (0..BURST)
        .map(|number| handle.subscribe(Subscription::channel(format!("burst.{number}"))))
        .map(IntoFuture::into_future)
        .collect();
    let confirmed = async {
        let mut begun = Vec::new();
        for stream in streams {
            begun.push(stream.await.expect("a stream"));
        }
        begun
    };
    let begun_streams = within("the burst", confirmed).await;
    let took = begun.elapsed();
    let exchanges = exchanges(server).await - before;
    drop(begun_streams);
    let figure = Figure::new("P14", "round trips for 10,000 names", exchanges);
    context.record(figure.at_most(50).detail(json!({ "took_ms": ms(took) })));
    within("the end of the burst's names", async {
        while handle.health().streams.names > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// How many `PING`s the server has executed: each exchange of the subscriber ends with one.
async fn exchanges(server: &RealServer) -> u64 {
    let info = server.command(&["INFO", "commandstats"]).await;
    let info: String = redis::from_redis_value(info).expect("text");
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_ping:calls="));
    line.and_then(|rest| rest.split(',').next()?.parse().ok())
        .unwrap_or(0)
}

/// Allows every channel but the first rooms.
async fn deny(server: &RealServer) {
    let mut words = vec![
        "ACL".to_owned(),
        "SETUSER".into(),
        "default".into(),
        "resetchannels".into(),
    ];
    words.push("&burst.*".into());
    // A name is allowed if it has another first digit, or more than one digit.
    for digit in DENIED..10 {
        words.push(format!("&room.{digit}"));
    }
    words.push("&room.[0-9]?*".into());
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    drop(server.command(&words).await);
}

/// Publishes the next number of a random name, again and again.
async fn publish(
    mut publisher: Publisher,
    published: Published,
    is_over: Arc<AtomicBool>,
    mut rng: fastrand::Rng,
) {
    while !is_over.load(Relaxed) {
        for _ in 0..20 {
            let name = rng.usize(DENIED..NAMES);
            let number = published[name].fetch_add(1, Relaxed) + 1;
            publisher.publish(self::name(name), number.to_string().as_bytes());
        }
        publisher.flush().await.expect("a connection");
        sleep(Duration::from_millis(5)).await;
    }
    publisher.fence().await;
}

/// Owns streams: begins some, reads them, and drops some, until it is over. Returns those that are left.
async fn own(
    handle: Handle,
    most: usize,
    published: Published,
    sums: Arc<Sums>,
    is_over: Arc<AtomicBool>,
    mut rng: fastrand::Rng,
) -> Vec<Reader> {
    let mut readers: Vec<Reader> = Vec::new();
    while !is_over.load(Relaxed) {
        for reader in &mut readers {
            if !reader.is_slow || rng.u8(..50) == 0 {
                reader.read(&published, &sums);
            }
        }
        if readers.len() >= most {
            let stay = rng.usize(most / 2..most);
            while readers.len() > stay {
                readers.swap_remove(rng.usize(..readers.len()));
            }
        }
        // Half of them want one of few names, which therefore are left and wanted again all the time.
        let names = if rng.bool() { 20 } else { NAMES };
        let name = rng.usize(..names);
        let beginning = Reader::begin(&handle, name, &sums, &mut rng);
        readers.extend(beginning.await);
        for _ in 0..rng.usize(..10) {
            let name = rng.usize(..names);
            let beginning = Reader::begin(&handle, name, &sums, &mut rng);
            readers.extend(beginning.await);
        }
        sleep(Duration::from_millis(rng.u64(..50))).await;
    }
    readers
}
