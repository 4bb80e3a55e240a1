//! The market: random walks of a few prices.

use std::convert::Infallible;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::aio::ConnectionManager;
use redis_push::{BoxError, Publisher};

use crate::app::{Quote, history};

/// The symbols, with the prices at which they begin. The page links to each of them.
const SYMBOLS: [(&str, f64); 6] = [
    ("EURUSD", 1.0842),
    ("GBPUSD", 1.2718),
    ("USDJPY", 149.35),
    ("USDCHF", 0.8821),
    ("AUDUSD", 0.6574),
    ("XAUUSD", 2031.5),
];

/// How many quotes of each symbol a page begins with.
const HISTORY: isize = 240;

/// Publishes a quote of some symbol every 50 milliseconds, as long as it is polled.
///
/// During an outage nothing is published, and the prices go on.
pub(crate) async fn run(
    publisher: Publisher,
    mut redis: ConnectionManager,
) -> web::Result<Infallible> {
    let mut prices = SYMBOLS;
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    let mut is_heard = true;
    loop {
        tick.tick().await;
        let (symbol, price) = &mut prices[fastrand::usize(..SYMBOLS.len())];
        *price *= 1.0 + 0.0004 * (fastrand::f64() - 0.5);
        let quote = Quote {
            symbol: (*symbol).to_owned(),
            bid: *price * 0.99995,
            ask: *price * 1.00005,
            time: SystemTime::now()
                .duration_since(UNIX_EPOCH)?
                .as_millis()
                .try_into()?,
        };
        let published = publish(&quote, &publisher, &mut redis).await;
        if let Err(error) = &published
            && is_heard
        {
            eprintln!("no quotes are published: {error}");
        }
        is_heard = published.is_ok();
    }
}

/// Stores a quote, and publishes it.
async fn publish(
    quote: &Quote,
    publisher: &Publisher,
    redis: &mut ConnectionManager,
) -> Result<(), BoxError> {
    let key = history(&quote.symbol);
    let mut store = redis::pipe();
    store
        .rpush(&key, serde_json::to_string(quote)?)
        .ltrim(&key, -HISTORY, -1)
        .expire(&key, 3_600);
    store.exec_async(redis).await?;
    publisher.publish(quote).await?;
    Ok(())
}
