use axum::Router;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use futures_util::StreamExt as _;
use redis::AsyncCommands as _;
use redis::aio::ConnectionManager;
use redis_push::{Handle, PushMessage};
use serde::Serialize;
use web::Failed;

/// A quote, published on `quotes.EURUSD` and so on.
#[derive(PushMessage, Serialize)]
#[push(channel = "quotes.{symbol}")]
pub(crate) struct Quote {
    pub(crate) symbol: String,
    pub(crate) bid: f64,
    pub(crate) ask: f64,
    /// In milliseconds of the Unix time.
    pub(crate) time: u64,
}

/// The key of the list of the last quotes of a symbol, in JSON.
pub(crate) fn history(symbol: &str) -> String {
    format!("example:quotes:{symbol}")
}

#[derive(Clone)]
pub(crate) struct App {
    pub(crate) handle: Handle,
    pub(crate) redis: ConnectionManager,
}

pub(crate) fn routes(app: App) -> Router {
    Router::new()
        .route("/{symbol}/events", get(events))
        .with_state(app)
}

/// Sends the last quotes of a symbol, and then the newest whenever the page can take one.
async fn events(
    State(app): State<App>,
    Path(symbol): Path<String>,
) -> Result<impl IntoResponse, Failed> {
    let quotes = app.handle.subscribe(Quote::at(&symbol)).latest().now()?;
    let (mut redis, history) = (app.redis, history(&symbol));
    // First of all, and whenever something may be missing: the last quotes.
    let updates = quotes
        .snapshot_with(async move |_gap| redis.lrange::<_, Vec<String>>(&history, 0, -1).await);
    let events = updates.map(|update| Event::default().json_data(update));
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}
