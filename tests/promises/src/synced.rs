//! P15: a cache is right while its subscriber is ready.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis_push::{Fault, Gap, Handle, Handler, Mount, Push, Spec, Subscription};
use serde_json::json;
use tests::{Proxy, RealServer, Way, within};
use tokio::time::sleep;

use crate::context::{Context, ms};
use crate::figure::Figure;
use crate::heart;

const KEYS: usize = 20;
const CHANGES: &str = "changes";
const INTERVAL: Duration = Duration::from_millis(50);
const TIMEOUT: Duration = Duration::from_millis(250);
/// How long the last answer to a `PING` may lie back while the subscriber is ready, and how long a
/// message may take.
const ALLOWED: Duration = Duration::from_millis(50 + 250 + 50);
/// How long the gap handler takes: longer than that.
const RELOAD: Duration = Duration::from_millis(400);

/// A handler that keeps the values of some keys. The values only grow.
struct Cache {
    values: Values,
    server: MultiplexedConnection,
}

type Values = Arc<Mutex<[u64; KEYS]>>;

impl Cache {
    fn update(&self, key: usize, value: u64) {
        let mut values = self.values.lock().expect("no panic");
        values[key] = values[key].max(value);
    }
}

impl Handler<()> for Cache {
    fn spec(&self) -> Spec {
        Spec::new("cache")
            .on(Subscription::channel(CHANGES))
            .on_gap("reload")
    }

    async fn handle(&self, push: Push<'_>, _state: &()) -> Result<(), Fault> {
        let text = str::from_utf8(push.payload()).map_err(Fault::failed)?;
        let (key, value) = text.split_once(' ').ok_or(Fault::failed("no value"))?;
        let key = key.parse().map_err(Fault::failed)?;
        self.update(key, value.parse().map_err(Fault::failed)?);
        Ok(())
    }

    async fn handle_gap(&self, _gap: &Gap, _state: &()) -> Result<(), Fault> {
        sleep(RELOAD).await;
        let mut server = self.server.clone();
        let keys: Vec<_> = (0..KEYS).map(|key| format!("key{key}")).collect();
        let mut read = redis::cmd("MGET");
        let values = read
            .arg(keys)
            .query_async::<Vec<Option<u64>>>(&mut server)
            .await;
        for (key, value) in values.map_err(Fault::failed)?.into_iter().enumerate() {
            self.update(key, value.unwrap_or_default());
        }
        Ok(())
    }
}

/// The values that the server has confirmed, with the time of the confirmation.
type History = Arc<Mutex<[Vec<(Instant, u64)>; KEYS]>>;

pub(crate) async fn run(context: Context) {
    let rounds = context.pick(6, 60);
    let mut rng = context.rng("P15");
    let server = context.server().await;
    let proxy = Proxy::start(server.addr(), rng.u64(..)).await;
    let client = redis::Client::open(server.url()).expect("a URL");
    let connect = || client.get_multiplexed_async_connection();
    let (values, history) = (Values::default(), History::default());
    let cache = Mount::new(Cache {
        values: Arc::clone(&values),
        server: connect().await.expect("a connection"),
    });
    let subscriber = context
        .subscriber(proxy.url())
        .ping(INTERVAL, TIMEOUT)
        .connect_timeout(Duration::from_millis(500))
        .reconnect_delay(Duration::from_millis(10), Duration::from_millis(50))
        .handlers([cache]);
    let handle = within("the start", subscriber.start()).await;
    let handle = Arc::new(handle.expect("a start"));
    let connection = connect().await.expect("a connection");
    let writing = tokio::spawn(write(connection, Arc::clone(&history)));
    let reads = Arc::new(Mutex::new(Reads::default()));
    let reading = read(Arc::clone(&handle), values, history, Arc::clone(&reads));
    let reading = tokio::spawn(reading);
    for _ in 0..rounds {
        within("ready again", handle.ready()).await;
        sleep(RELOAD + Duration::from_millis(rng.u64(..100))).await;
        strike(&mut rng, &server, &proxy, &handle).await;
    }
    within("ready again", handle.ready()).await;
    sleep(RELOAD).await;
    writing.abort();
    reading.abort();
    let Reads { all, stale, oldest } = *reads.lock().expect("no panic");
    assert!(all > 0, "the subscriber was never ready");
    let figure = Figure::new("P15", "stale reads of a cache while ready", stale).must_be(0);
    context.record(figure.detail(json!({
        "reads": all,
        "oldest_ms": ms(oldest),
        "disconnects": rounds,
    })));
}

/// Interrupts the connection in one of several ways, until the subscriber has noticed.
async fn strike(rng: &mut fastrand::Rng, server: &RealServer, proxy: &Proxy, handle: &Handle) {
    let reconnects = handle.stats().feed.reconnects;
    let noticed = within("the end of the connection", async {
        while handle.stats().feed.reconnects == reconnects {
            sleep(Duration::from_millis(1)).await;
        }
    });
    let outage = Duration::from_millis(rng.u64(100..600));
    match rng.u8(..3) {
        0 => {
            drop(server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await);
            noticed.await;
        }
        1 => {
            proxy.refuse(true);
            proxy.reset();
            noticed.await;
            sleep(outage).await;
            proxy.refuse(false);
        }
        _ => {
            // On a connection that stays, the bytes would be missing: no network does that. A process that
            // stands still may need more than one timeout to notice.
            proxy.black_hole(Way::ToClient, true);
            noticed.await;
            sleep(outage).await;
            proxy.black_hole(Way::ToClient, false);
        }
    }
}

/// Changes a key and publishes the change, again and again.
async fn write(mut server: MultiplexedConnection, history: History) {
    for value in 1_u64.. {
        let key = fastrand::usize(..KEYS);
        let mut change = redis::pipe();
        change
            .cmd("SET")
            .arg(format!("key{key}"))
            .arg(value)
            .ignore();
        let text = format!("{key} {value}");
        change.cmd("PUBLISH").arg(CHANGES).arg(text).ignore();
        change
            .query_async::<()>(&mut server)
            .await
            .expect("the writer's own connection");
        history.lock().expect("no panic")[key].push((Instant::now(), value));
        sleep(Duration::from_millis(1)).await;
    }
}

/// Values that were read while the subscriber was ready.
#[derive(Clone, Copy, Default)]
struct Reads {
    all: u64,
    /// Those that had been replaced for longer than [`ALLOWED`].
    stale: u64,
    /// How long the oldest of them had been replaced.
    oldest: Duration,
}

async fn read(handle: Arc<Handle>, values: Values, history: History, reads: Arc<Mutex<Reads>>) {
    loop {
        sleep(Duration::from_millis(1)).await;
        let was_ready = handle.is_ready();
        let (read, now) = (*values.lock().expect("no panic"), Instant::now());
        if !was_ready || !handle.is_ready() {
            continue;
        }
        let allowed = ALLOWED + heart::stalled_since(now - 2 * ALLOWED);
        let history = history.lock().expect("no panic");
        let mut reads = reads.lock().expect("no panic");
        for (value, changes) in read.iter().zip(&*history) {
            reads.all += 1;
            let newer = changes.partition_point(|(_, written)| written <= value);
            let replaced = changes.get(newer).map(|(at, _)| now.duration_since(*at));
            if let Some(replaced) = replaced.filter(|replaced| *replaced > allowed) {
                reads.stale += 1;
                reads.oldest = reads.oldest.max(replaced);
            }
        }
    }
}
