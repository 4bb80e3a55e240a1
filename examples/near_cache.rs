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

use std::error::Error;
use std::process::ExitCode;
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
    let items = NearCache::new(&handle, "example:item:{item}").await?;
    for _ in 0..READERS {
        tokio::spawn(read(items.clone()));
    }
    for outage in 0..OUTAGES {
        write(writer, 3 * outage).await?;
        line.cut();
        write(writer, 3 * outage + 1).await?;
        line.restore();
        write(writer, 3 * outage + 2).await?;
        tokio::time::timeout(Duration::from_secs(10), synced(&items)).await?;
        println!("{}", items.stats());
    }
    finish(&items, writer).await?;
    compare(&items, writer).await
}

/// Asks for random items, as the requests of a service would.
async fn read(items: NearCache<u32, u64>) {
    loop {
        // During an outage the cache does not answer with what may be out of date, and the server cannot
        // be asked. A service would answer with an error too, or take the value from elsewhere.
        let _ = items.get(&fastrand::u32(..ITEMS)).await;
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
async fn finish(
    items: &NearCache<u32, u64>,
    server: &mut MultiplexedConnection,
) -> Result<(), Box<dyn Error>> {
    items.get(&ITEMS).await?;
    let _: () = server.set(key(ITEMS), 1).await?;
    let is_reported = async {
        while items.get(&ITEMS).await?.is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok::<_, redis_push::Error>(())
    };
    Ok(tokio::time::timeout(Duration::from_secs(10), is_reported).await??)
}

/// Compares the cache with the server, value by value.
async fn compare(
    items: &NearCache<u32, u64>,
    server: &mut MultiplexedConnection,
) -> Result<ExitCode, Box<dyn Error>> {
    let (mut held, mut wrong) = (0, 0);
    for item in 0..ITEMS {
        let truth: Option<u64> = server.get(key(item)).await?;
        if let Some(value) = items.peek(&item) {
            held += 1;
            wrong += usize::from(value.as_deref() != truth.as_ref());
        }
    }
    println!("of {held} values in the cache, {wrong} are wrong");
    // Without hits and changes this would have shown nothing.
    let stats = items.stats();
    let has_shown = held > 0 && stats.hits > 0 && stats.invalidations > 0;
    Ok(if has_shown && wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
