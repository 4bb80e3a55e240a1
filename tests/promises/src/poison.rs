//! P10: malicious payloads, names and frames.

use std::sync::Arc;
use std::time::Duration;

use redis_push::Handle;
use redis_push::testing::Broker;
use serde_json::json;
use tests::within;
use tokio::time::{Instant, sleep};

use crate::context::Context;
use crate::corpus;
use crate::figure::Figure;
use crate::publisher::Publisher;
use crate::typed::{GOOD, Goods, mounts};

/// How long the next valid message may take.
const NEXT: Duration = Duration::from_secs(10);

pub(crate) async fn run(context: Context) {
    payloads(&context).await;
    too_large(&context).await;
    frames(&context).await;
}

/// A subscriber with every kind of handler, and its publisher.
struct Bench {
    handle: Handle,
    goods: Arc<Goods>,
    publisher: Publisher,
    expected: u64,
}

impl Bench {
    async fn start(context: &Context, url: String, addr: std::net::SocketAddr) -> Self {
        let goods = Arc::new(Goods::default());
        let starting = context
            .subscriber(url)
            .ping(Duration::from_millis(100), Duration::from_millis(500))
            .reconnect_delay(Duration::from_millis(1), Duration::from_millis(20))
            .state(Arc::clone(&goods))
            .handlers(mounts())
            .start();
        Self {
            handle: within("the start", starting).await.expect("a start"),
            goods,
            publisher: Publisher::connect(addr).await,
            expected: 0,
        }
    }

    /// Publishes a valid message for each handler.
    fn publish_goods(&mut self) {
        for (channel, payload) in GOOD {
            self.publisher.publish(channel, payload.as_bytes());
        }
        self.expected += 1;
    }

    /// Waits until every valid message is handled. Returns whether all were handled in time.
    async fn all_handled(&mut self) -> bool {
        self.publisher.fence().await;
        let end = Instant::now() + NEXT;
        while self
            .goods
            .counts()
            .iter()
            .any(|count| *count < self.expected)
        {
            if Instant::now() > end {
                return false;
            }
            sleep(Duration::from_millis(1)).await;
        }
        true
    }

    /// Publishes valid messages until every handler has handled one more, even if connections are
    /// lost meanwhile. Returns how many handlers have.
    async fn next_handled(&mut self) -> usize {
        let before = self.goods.counts();
        let end = Instant::now() + NEXT;
        loop {
            self.publish_goods();
            self.publisher.fence().await;
            sleep(Duration::from_millis(2)).await;
            let now = self.goods.counts();
            let handled = before
                .iter()
                .zip(&now)
                .filter(|(before, now)| now > before)
                .count();
            if handled == GOOD.len() || Instant::now() > end {
                return handled;
            }
        }
    }
}

/// Malicious payloads and names, each followed by a valid message for every handler.
async fn payloads(context: &Context) {
    const AT_ONCE: usize = 200;
    let server = context.server().await;
    let mut rng = context.rng("P10");
    let mut bench = Bench::start(context, server.url(), server.addr()).await;
    let corpus = corpus::payloads();
    let names: Vec<_> = ["names.", "quotes."]
        .into_iter()
        .flat_map(corpus::names)
        .collect();
    let mutations = context.pick(5_000, 100_000);
    let mut sent = 0;
    let mut published = 0;
    let mut holds = true;
    while sent < corpus.len() + mutations && holds {
        let end = (sent + AT_ONCE).min(corpus.len() + mutations);
        let mut bytes = 0;
        while sent < end && bytes < 2 << 20 {
            let poison = match corpus.get(sent) {
                Some((_, payload)) => payload.clone(),
                None => mutated(&corpus, &mut rng),
            };
            bytes += poison.len();
            for channel in ["poison", "quotes.ACME", "names.a"] {
                bench.publisher.publish(channel, &poison);
            }
            if sent % 64 == 0 {
                for name in &names {
                    bench.publisher.publish(name, b"{\"bid\":1.0}");
                    bytes += name.len();
                }
            }
            bench.publish_goods();
            sent += 1;
        }
        published = bench.expected;
        holds = bench.all_handled().await;
    }
    let counts = bench.goods.counts();
    let handled: u64 = counts.iter().map(|count| (*count).min(published)).sum();
    let all = published * GOOD.len() as u64;
    let alive = bench.next_handled().await;
    let stats = bench.handle.stats();
    let rejected: u64 = stats.handlers.iter().map(|entry| entry.rejected).sum();
    let detail = json!({
        "poisons": sent,
        "rejected": rejected,
        "dropped": stats.dropped(),
        "reconnects": stats.feed.reconnects,
    });
    let next = percent(handled, all);
    let figure = Figure::new("P10", "good messages handled after a bad payload", next).unit("%");
    context.record(figure.must_be(100).detail(detail));
    let alive = percent(alive as u64, GOOD.len() as u64);
    let figure = Figure::new(
        "P10",
        "handlers that still run after all bad payloads",
        alive,
    )
    .unit("%");
    context.record(figure.must_be(100));
}

/// A mutation of a payload of the corpus that is not huge.
fn mutated(corpus: &[(&str, Vec<u8>)], rng: &mut fastrand::Rng) -> Vec<u8> {
    loop {
        let (_, payload) = &corpus[rng.usize(..corpus.len())];
        if payload.len() < 20_000 {
            return corpus::mutate(payload, rng);
        }
    }
}

/// A payload that is larger than what a server buffers for a subscriber by default, and the same
/// payload without that limit.
async fn too_large(context: &Context) {
    let server = context.server().await;
    let mut bench = Bench::start(context, server.url(), server.addr()).await;
    let payload = vec![b'x'; 33 << 20];
    let mut handled = 0;
    for limit in ["pubsub 32mb 8mb 60", "pubsub 0 0 0"] {
        server
            .command(&["CONFIG", "SET", "client-output-buffer-limit", limit])
            .await;
        bench.publisher.publish("poison", &payload);
        bench.publisher.fence().await;
        handled += bench.next_handled().await;
    }
    let part = percent(handled as u64, 2 * GOOD.len() as u64);
    let figure = Figure::new(
        "P10",
        "good messages handled after a payload of 33 MB",
        part,
    )
    .unit("%");
    let reconnects = bench.handle.stats().feed.reconnects;
    context.record(
        figure
            .must_be(100)
            .detail(json!({"reconnects": reconnects})),
    );
}

/// Frames that no server should send. They may cost a connection, and nothing else.
async fn frames(context: &Context) {
    let broker = Broker::start().await.expect("a free port");
    let mut rng = context.rng("P10 frames");
    let mut bench = Bench::start(context, broker.url(), broker.addr()).await;
    let corpus = corpus::frames();
    let mutations = context.pick(100, 2_000);
    let (mut handled, mut injected) = (0, 0);
    let mut worst = None;
    for index in 0..corpus.len() + mutations {
        let frame = match corpus.get(index) {
            Some((_, frame)) => frame.clone(),
            None => corpus::mutate(&corpus[rng.usize(..corpus.len())].1, &mut rng),
        };
        within("a connection", bench.handle.ready()).await;
        broker.inject(&frame);
        injected += 1;
        let now = bench.next_handled().await;
        handled += now as u64;
        if now < GOOD.len() {
            worst.get_or_insert_with(|| frame.escape_ascii().to_string());
        }
    }
    let part = percent(handled, injected * GOOD.len() as u64);
    let figure = Figure::new("P10", "good messages handled after bad frames", part).unit("%");
    let feed = bench.handle.stats().feed;
    context.record(figure.must_be(100).detail(json!({
        "frames": injected,
        "unknown": feed.unknown,
        "malformed": feed.malformed,
        "unrouted": feed.unrouted,
        "reconnects": feed.reconnects,
        "first_that_does_not_hold": worst,
    })));
}

fn percent(some: u64, all: u64) -> f64 {
    100.0 * some as f64 / all as f64
}
