use axum::Router;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::routing::{get, post};
use futures_util::StreamExt as _;
use redis::AsyncCommands as _;
use redis::aio::ConnectionManager;
use redis_push::{BoxError, Event, Handle, Publisher, PushMessage};
use serde::Serialize;
use web::Failed;

#[derive(PushMessage, Serialize)]
#[push(channel = "notifications.{user*}")]
struct Notification {
    user: String,
    id: u64,
    text: String,
}

#[derive(Clone)]
pub(crate) struct App {
    pub(crate) handle: Handle,
    pub(crate) publisher: Publisher,
    /// For commands, apart from the subscriber.
    pub(crate) redis: ConnectionManager,
}

pub(crate) fn routes(app: App) -> Router {
    Router::new()
        .route("/{user}/notifications", post(notify))
        .route("/{user}/events", get(events))
        .with_state(app)
}

/// Stores a notification, and publishes it to the open pages of its user.
async fn notify(
    State(App {
        publisher,
        mut redis,
        ..
    }): State<App>,
    Path(user): Path<String>,
    text: String,
) -> Result<(), Failed> {
    let key = format!("example:notifications:{user}");
    let id = redis.incr("example:notifications", 1).await?;
    let notification = Notification { user, id, text };
    let json = serde_json::to_string(&notification)?;
    let mut store = redis::pipe();
    store
        .lpush(&key, json)
        .ltrim(&key, 0, 49)
        .expire(&key, 86_400);
    store.exec_async(&mut redis).await?;
    publisher.publish(&notification).await?;
    Ok(())
}

/// Sends what is stored for a user, and then each notification as it comes.
async fn events(
    State(app): State<App>,
    Path(user): Path<String>,
) -> Result<impl IntoResponse, Failed> {
    let notifications = app.handle.subscribe(Notification::at(&user)).now()?;
    let key = format!("example:notifications:{user}");
    let events = notifications.filter_map(move |event| {
        let event = for_page(event, app.redis.clone(), key.clone());
        async { event.await.transpose() } // an error ends the response, and the browser asks again
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

async fn for_page(
    event: Event<Notification>,
    mut redis: ConnectionManager,
    key: String,
) -> Result<Option<sse::Event>, BoxError> {
    Ok(match event {
        Event::Message(one) => Some(sse::Event::default().event("one").json_data(one)?),
        // First of all, and whenever something may be missing: everything.
        Event::Gap(_) => {
            let all: Vec<String> = redis.lrange(key, 0, -1).await?;
            let all = format!("[{}]", all.join(","));
            Some(sse::Event::default().event("all").data(all))
        }
        _ => None, // a message that does not decode
    })
}
