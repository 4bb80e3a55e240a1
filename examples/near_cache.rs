//! A cache in front of the server that removes values when they change, and all of them after an
//! outage.
//!
//! ```sh
//! cargo run --example near_cache
//! ```
//!
//! Readers ask the cache, which reads missing values from the server. A writer changes keys. A handler
//! with `invalidate` removes the changed values, and its gap handler removes all values whenever
//! invalidations may have been missed. The program cuts the subscriber's connection meanwhile, and
//! fails if the cache holds a wrong value at the end.

mod line;
mod server;

use std::collections::HashMap;
use std::error::Error;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, RedisError};
use redis_push::{ConnectionEvent, Gap, Handle, Invalidation, State, Subscriber};
use redis_push::{gap_handler, handlers, push_handler};
use tokio::sync::watch;

use line::Line;

const ITEMS: u32 = 100;
const READERS: usize = 8;
const OUTAGES: usize = 5;
const CHANGES: usize = 200;
/// How long the readers take to ask for nearly every key.
const FILLING: Duration = Duration::from_millis(200);
const PREFIX: &str = "example:item:";

/// The cached values.
#[derive(Default)]
struct Cache {
    slots: Mutex<HashMap<String, Slot>>,
    counts: Mutex<Counts>,
}

#[derive(PartialEq)]
enum Slot {
    Value(u64),
    /// A reader has asked the server for the value. The number identifies the reader.
    Reading(u64),
}

#[derive(Default)]
struct Counts {
    hits: u64,
    reads: u64,
    /// Values that changed while they were read.
    overtaken: u64,
}

impl Cache {
    /// The value of a key, from the cache or from the server.
    ///
    /// A value that is being read must not be cached if the key is invalidated meanwhile, because
    /// there would be no further invalidation to remove it. So a reader leaves a mark first, an
    /// invalidation removes the mark, and the value is cached only if the mark is still there.
    async fn get(&self, key: &str, server: &mut MultiplexedConnection) -> Result<u64, RedisError> {
        let mark = {
            let mut counts = self.counts.lock().unwrap();
            let mut slots = self.slots.lock().unwrap();
            if let Some(Slot::Value(value)) = slots.get(key) {
                counts.hits += 1;
                return Ok(*value);
            }
            counts.reads += 1;
            slots.insert(key.to_owned(), Slot::Reading(counts.reads));
            counts.reads
        };
        let value: Option<u64> = server.get(key).await?;
        let value = value.unwrap_or_default();
        let mut counts = self.counts.lock().unwrap();
        let mut slots = self.slots.lock().unwrap();
        match slots.get_mut(key) {
            Some(slot) if *slot == Slot::Reading(mark) => *slot = Slot::Value(value),
            _ => counts.overtaken += 1,
        }
        Ok(value)
    }

    fn forget(&self, changed: Invalidation<'_>) {
        let mut slots = self.slots.lock().unwrap();
        match changed.key().map(str::from_utf8) {
            Some(Ok(key)) => _ = slots.remove(key),
            // The cache has no such key.
            Some(Err(_)) => {}
            None => slots.clear(),
        }
    }

    /// How many values the cache holds, and how many of them differ from those of the server.
    async fn check(
        &self,
        server: &mut MultiplexedConnection,
    ) -> Result<(usize, usize), RedisError> {
        let slots = std::mem::take(&mut *self.slots.lock().unwrap());
        let (mut held, mut wrong) = (0, 0);
        for (key, slot) in slots {
            if let Slot::Value(value) = slot {
                let truth: Option<u64> = server.get(key).await?;
                held += 1;
                wrong += usize::from(truth.unwrap_or_default() != value);
            }
        }
        Ok((held, wrong))
    }
}

#[derive(Clone)]
struct App {
    cache: Arc<Cache>,
    /// A cache without a gap handler, to show the difference.
    careless: Arc<Cache>,
    /// A cache with the gap handler only.
    forgetful: Arc<Cache>,
    /// How often everything was removed.
    forgotten: watch::Sender<usize>,
}

#[push_handler(invalidate = "example:item:", on_gap = forget_all)]
async fn forget(changed: Invalidation<'_>, State(app): State<App>) {
    app.cache.forget(changed);
}

/// Changes during the gap are not reported, and changes after it are. From the loss of the connection
/// until this has returned, the cache may hold old values. `Handle::is_ready` is false from the moment
/// at which the loss is noticed (at once if the connection is closed, else by a `PING`) until then. A
/// program that must not use old values bypasses the cache while it is false. With `required` on
/// `forget`, this includes messages that a full buffer has dropped.
#[gap_handler]
async fn forget_all(gap: Gap, State(app): State<App>) {
    println!("{gap}; the cache is cleared");
    app.cache.forget(Invalidation::All);
    app.forgetful.forget(Invalidation::All);
    app.forgotten.send_modify(|times| *times += 1);
}

#[push_handler(invalidate = "example:item:")]
async fn forget_carelessly(changed: Invalidation<'_>, State(app): State<App>) {
    app.careless.forget(changed);
}

#[push_handler(connection)]
async fn on_connection(event: ConnectionEvent<'_>) {
    match event {
        ConnectionEvent::Connected => println!("connected"),
        ConnectionEvent::Disconnected { reason, .. } => println!("disconnected: {reason}"),
        _ => {}
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let server = server::find().await?;
    println!("using {}", server.why);
    let line = Line::to(&server.url).await?;
    // The readers and the writer use a separate connection, which is not cut.
    let client = redis::Client::open(&*server.url)?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let app = App {
        cache: Arc::default(),
        careless: Arc::default(),
        forgetful: Arc::default(),
        forgotten: watch::Sender::new(0),
    };
    let outcome = tokio::select! {
        outcome = run(&connection, &line, &app) => outcome,
        () = server::asked_to_stop() => Ok(ExitCode::SUCCESS),
    };
    let keys: Vec<_> = (0..ITEMS).map(|item| format!("{PREFIX}{item}")).collect();
    let _: () = connection.del(keys).await?;
    outcome
}

/// Reads and writes during the outages, and compares.
async fn run(
    connection: &MultiplexedConnection,
    line: &Line,
    app: &App,
) -> Result<ExitCode, Box<dyn Error>> {
    let handle = Subscriber::with_client(line.client.clone())
        .start_deadline(Duration::from_secs(5))
        .reconnect_delay(Duration::from_millis(10), Duration::from_millis(100))
        .state(app.clone())
        .handlers(handlers![forget, forget_carelessly, on_connection])
        .start()
        .await?;
    let readers: Vec<_> = (0..READERS)
        .map(|_| tokio::spawn(read(app.clone(), connection.clone())))
        .collect();
    let mut writer = connection.clone();
    let mut forgotten = app.forgotten.subscribe();
    for outage in 0..OUTAGES {
        write(&mut writer, 2 * outage).await?;
        line.cut();
        write(&mut writer, 2 * outage + 1).await?;
        line.restore();
        // The first gap is the initial one, before any outage.
        let is_over = forgotten.wait_for(|times| *times >= outage + 2);
        tokio::time::timeout(Duration::from_secs(10), is_over).await??;
    }
    // The caches fill again. Then some values change without a gap.
    tokio::time::sleep(FILLING).await;
    write(&mut writer, 2 * OUTAGES).await?;
    tokio::time::sleep(FILLING).await;
    for reader in readers {
        reader.abort();
    }
    finish(&handle, writer, app).await
}

/// Shuts down, which delivers everything that was sent, and compares value by value.
async fn finish(
    handle: &Handle,
    mut server: MultiplexedConnection,
    app: &App,
) -> Result<ExitCode, Box<dyn Error>> {
    println!("\n{}", handle.shutdown(Duration::from_secs(5)).await);
    {
        let counts = app.cache.counts.lock().unwrap();
        println!(
            "{} hits, {} reads, {} of them overtaken by a change",
            counts.hits, counts.reads, counts.overtaken
        );
    }
    let (held, wrong) = app.careless.check(&mut server).await?;
    println!("without `on_gap`, {wrong} of {held} values are wrong");
    let (held, missed) = app.forgetful.check(&mut server).await?;
    println!("with only `on_gap`, {missed} of {held}");
    let (held, wrong) = app.cache.check(&mut server).await?;
    println!("with both, {wrong} of {held}");
    Ok(match (held, wrong, missed) {
        // The cache without invalidations must be wrong, or this example has shown nothing.
        (1.., 0, 1..) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Asks the caches for random keys.
async fn read(app: App, mut server: MultiplexedConnection) -> Result<(), RedisError> {
    loop {
        let key = format!("{PREFIX}{}", fastrand::u32(..ITEMS));
        app.cache.get(&key, &mut server).await?;
        app.careless.get(&key, &mut server).await?;
        app.forgetful.get(&key, &mut server).await?;
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
}

/// Changes random keys, each time to a new value.
async fn write(server: &mut MultiplexedConnection, round: usize) -> Result<(), RedisError> {
    for change in 0..CHANGES {
        let key = format!("{PREFIX}{}", fastrand::u32(..ITEMS));
        let _: () = server.set(key, round * CHANGES + change + 1).await?;
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    Ok(())
}
