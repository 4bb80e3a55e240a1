//! A local copy of some keys that is correct again after every outage.
//!
//! ```sh
//! cargo run --example cache
//! ```
//!
//! A writer sets keys and publishes every change. A handler applies the changes to a map, and its gap
//! handler reads all keys again whenever changes may have been missed. The program cuts the
//! subscriber's connection while the writer continues, and fails if the map and the server differ at
//! the end.

mod line;
mod server;

use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::RedisError;
use redis::aio::MultiplexedConnection;
use redis_push::{Gap, Handle, PushMessage, State, Subscriber};
use redis_push::{gap_handler, handlers, push_handler};

use line::Line;

const ITEMS: u32 = 100;
const CHANGES: u64 = 200;
const OUTAGES: usize = 5;

/// How many pieces of an item are left. The channel has the same name as the key.
#[derive(PushMessage)]
#[push(channel = "example:stock:{item}")]
struct Stock {
    item: u32,
    left: u64,
}

fn key(item: u32) -> String {
    format!("example:stock:{item}")
}

type Map = BTreeMap<u32, u64>;

#[derive(Clone)]
struct App {
    server: MultiplexedConnection,
    cache: Arc<Mutex<Map>>,
    /// A map without a gap handler, to show the difference.
    careless: Arc<Mutex<Map>>,
}

/// Reads all keys: at the start, and after every gap.
///
/// There is no race. The gap is reported after the server has confirmed the subscription, so every
/// change is in one of two sets. If it was published before the confirmation, its key was set even
/// earlier, and is read here. If it was published after, it arrives as a message, and messages are
/// delivered after this function returns. A change may be in both sets. Then an older message may
/// restore an older value for a moment, but the message of the last change comes last.
#[gap_handler]
async fn reload(gap: Gap, State(app): State<App>) -> Result<(), RedisError> {
    // If this fails, it is retried, and no message is delivered before it succeeds.
    let now = read_all(app.server).await?;
    println!("{gap}; {} items read again", now.len());
    *app.cache.lock().unwrap() = now;
    Ok(())
}

#[push_handler(on_gap = reload)]
async fn on_change(stock: Stock, State(app): State<App>) {
    app.cache.lock().unwrap().insert(stock.item, stock.left);
}

#[push_handler]
async fn on_change_careless(stock: Stock, State(app): State<App>) {
    app.careless.lock().unwrap().insert(stock.item, stock.left);
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let server = server::find().await?;
    println!("using {}", server.why);
    let line = Line::to(&server.url).await?;
    // The writer and `reload` use a separate connection, which is not cut.
    let client = redis::Client::open(&*server.url)?;
    let connection = client.get_multiplexed_async_connection().await?;
    let mut writer = Writer {
        server: connection.clone(),
        written: 0,
    };
    let app = App {
        server: connection,
        cache: Arc::default(),
        careless: Arc::default(),
    };

    let outcome = tokio::select! {
        outcome = run(&mut writer, &line, &app) => outcome,
        () = server::asked_to_stop() => Ok(ExitCode::SUCCESS),
    };
    writer.clean_up().await?;
    outcome
}

/// Writes before the start, between the outages and during them, and compares.
async fn run(writer: &mut Writer, line: &Line, app: &App) -> Result<ExitCode, Box<dyn Error>> {
    writer.write(CHANGES).await?;
    let handle = Subscriber::with_client(line.client.clone())
        .start_deadline(Duration::from_secs(5))
        .reconnect_delay(Duration::from_millis(10), Duration::from_millis(100))
        .state(app.clone())
        .handlers(handlers![on_change, on_change_careless])
        .start()
        .await?;
    for _ in 0..OUTAGES {
        writer.write(CHANGES).await?;
        line.cut();
        writer.write(CHANGES).await?;
        line.restore();
        // Some of these are published before the subscription is back, some after.
        tokio::try_join!(writer.write(CHANGES), ready(&handle))?;
    }
    finish(&handle, writer, app).await
}

/// Shuts down, which delivers everything that was sent, and compares key by key.
async fn finish(handle: &Handle, writer: &Writer, app: &App) -> Result<ExitCode, Box<dyn Error>> {
    let report = handle.shutdown(Duration::from_secs(5)).await;
    println!("\n{} changes written\n{report}", writer.written);
    let truth = read_all(app.server.clone()).await?;
    let careless = differences(&truth, &app.careless.lock().unwrap());
    println!(
        "without `on_gap`, {} of {} items are wrong",
        careless.len(),
        truth.len()
    );
    let wrong = differences(&truth, &app.cache.lock().unwrap());
    if wrong.is_empty() {
        println!("with it, every item is the same as on the server");
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("with `on_gap` these items are wrong: {wrong:?}");
    Ok(ExitCode::FAILURE)
}

/// Waits until everything is subscribed again.
async fn ready(handle: &Handle) -> Result<(), Box<dyn Error>> {
    Ok(tokio::time::timeout(Duration::from_secs(10), handle.ready()).await?)
}

/// The items that differ between two maps.
fn differences(one: &Map, other: &Map) -> Vec<u32> {
    let differs = |item: &u32| one.get(item) != other.get(item);
    (0..ITEMS).filter(differs).collect()
}

async fn read_all(mut server: MultiplexedConnection) -> Result<Map, RedisError> {
    let mut reading = redis::pipe();
    for item in 0..ITEMS {
        reading.get(key(item));
    }
    let values: Vec<Option<u64>> = reading.query_async(&mut server).await?;
    let all = (0..ITEMS).zip(values);
    Ok(all.filter_map(|(item, left)| Some((item, left?))).collect())
}

struct Writer {
    server: MultiplexedConnection,
    written: u64,
}

impl Writer {
    /// Changes random items, `changes` times.
    ///
    /// The key is set before the change is published, and both happen before the next change of the
    /// key. Here there is only one writer. With several writers, `.atomic()` makes a transaction of
    /// the two commands.
    async fn write(&mut self, changes: u64) -> Result<(), Box<dyn Error>> {
        for _ in 0..changes {
            self.written += 1;
            let key = key(fastrand::u32(..ITEMS));
            redis::pipe()
                .set(&key, self.written)
                .ignore()
                .publish(&key, format!(r#"{{"left":{}}}"#, self.written))
                .ignore()
                .exec_async(&mut self.server)
                .await?;
        }
        Ok(())
    }

    async fn clean_up(&mut self) -> Result<(), RedisError> {
        let keys: Vec<_> = (0..ITEMS).map(key).collect();
        redis::cmd("DEL")
            .arg(keys)
            .exec_async(&mut self.server)
            .await
    }
}
