//! A cache in front of the server, which is right again after every outage.
//!
//! ```sh
//! cargo run --example near_cache
//! ```
//!
//! Readers ask a `NearCache`, which reads missing values from the server and removes those that change.
//! A writer changes keys. The program cuts the cache's connections meanwhile, and fails if the cache holds
//! a wrong value at the end.

mod line;
mod server;

use std::collections::HashMap;
use std::error::Error;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, RedisError};
use redis_push::{NearCache, Subscriber};

use line::Line;

const ITEMS: u32 = 100;
const READERS: usize = 8;
const OUTAGES: usize = 5;
const CHANGES: usize = 200;

/// The key of an item. The cache has the same template.
fn key(item: u32) -> String {
    format!("example:item:{item}")
}

#[derive(Clone)]
struct App {
    items: NearCache<u32, u64>,
    /// A cache that does not notice changes, to show the difference.
    careless: Arc<Mutex<HashMap<u32, u64>>>,
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let server = server::find().await?;
    println!("using {}", server.why);
    let line = Line::to(&server.url).await?;
    // The writer uses a separate connection, which is not cut.
    let client = redis::Client::open(&*server.url)?;
    let mut writer = client.get_multiplexed_async_connection().await?;
    let outcome = tokio::select! {
        outcome = run(&mut writer, &line) => outcome,
        () = server::asked_to_stop() => Ok(ExitCode::SUCCESS),
    };
    let keys: Vec<_> = (0..=ITEMS).map(key).collect();
    let _: () = writer.del(keys).await?;
    outcome
}

/// Reads and writes during the outages, and compares.
async fn run(writer: &mut MultiplexedConnection, line: &Line) -> Result<ExitCode, Box<dyn Error>> {
    let handle = Subscriber::with_client(line.client.clone())
        .reconnect_delay(Duration::from_millis(10), Duration::from_millis(100))
        .start()
        .await?;
    let app = App {
        items: NearCache::new(&handle, "example:item:{item}").await?,
        careless: Arc::default(),
    };
    let readers: Vec<_> = (0..READERS)
        .map(|_| tokio::spawn(read(app.clone())))
        .collect();
    for outage in 0..OUTAGES {
        write(writer, 3 * outage).await?;
        line.cut();
        write(writer, 3 * outage + 1).await?;
        line.restore();
        write(writer, 3 * outage + 2).await?;
        tokio::time::timeout(Duration::from_secs(10), synced(&app.items)).await?;
        println!("{}", app.items.stats());
    }
    finish(&app, writer).await?;
    for reader in readers {
        reader.abort();
    }
    compare(&app, writer).await
}

/// Asks the caches for random items.
async fn read(app: App) {
    loop {
        let item = fastrand::u32(..ITEMS);
        // During an outage the cache does not answer with what may be out of date, and the server cannot
        // be asked. A service would answer with an error too, or take the value from elsewhere.
        if let Ok(value) = app.items.get(&item).await {
            let value = value.map_or(0, |value| *value);
            app.careless.lock().unwrap().entry(item).or_insert(value);
        }
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
}

/// Changes random items, each time to a new value.
async fn write(server: &mut MultiplexedConnection, round: usize) -> Result<(), RedisError> {
    for change in 0..CHANGES {
        let value = round * CHANGES + change + 1;
        let _: () = server.set(key(fastrand::u32(..ITEMS)), value).await?;
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    Ok(())
}

/// Waits until the server reports changes again.
async fn synced(items: &NearCache<u32, u64>) {
    while !items.is_synced() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Waits until every change is reported. The server reports them in order, so this changes a value that
/// the cache has, and waits until it has the new one.
async fn finish(app: &App, server: &mut MultiplexedConnection) -> Result<(), Box<dyn Error>> {
    app.items.get(&ITEMS).await?;
    let _: () = server.set(key(ITEMS), 1).await?;
    let is_reported = async {
        while app.items.get(&ITEMS).await?.is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok::<_, redis_push::Error>(())
    };
    Ok(tokio::time::timeout(Duration::from_secs(10), is_reported).await??)
}

/// Compares the caches with the server, value by value.
async fn compare(
    app: &App,
    server: &mut MultiplexedConnection,
) -> Result<ExitCode, Box<dyn Error>> {
    let (mut held, mut wrong, mut careless) = (0, 0, 0);
    for item in 0..ITEMS {
        let truth = server.get::<_, Option<u64>>(key(item)).await?;
        if let Some(value) = app.items.peek(&item) {
            held += 1;
            wrong += usize::from(value.as_deref() != truth.as_ref());
        }
        let remembered = app.careless.lock().unwrap().get(&item).copied();
        careless += usize::from(remembered.is_some_and(|value| Some(value) != truth));
    }
    println!("\nof the values that were just remembered, {careless} are wrong");
    println!("of {held} values in the cache, {wrong} are wrong");
    Ok(match (held, wrong, careless) {
        // The other one must be wrong, or this example has shown nothing.
        (1.., 0, 1..) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}
