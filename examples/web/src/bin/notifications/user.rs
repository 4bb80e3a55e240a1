//! The notifications of one user: anybody sends them, and every open page of the user shows them.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::StreamExt as _;
use redis::AsyncCommands as _;
use redis_push::PushMessage;
use serde::Serialize;
use web::Failed;

use crate::App;

#[derive(PushMessage, Serialize)]
#[push(channel = "notifications.{user*}")]
struct Notification {
    user: String,
    id: u64,
    text: String,
}

/// Stores a notification, and publishes it to the open pages of its user.
pub(crate) async fn notify(
    State(mut app): State<App>,
    Path(user): Path<String>,
    text: String,
) -> Result<String, Failed> {
    let key = format!("example:notifications:{user}");
    let id = app.redis.incr("example:notifications", 1).await?;
    let one = Notification { user, id, text };
    let _: () = app.redis.lpush(&key, serde_json::to_string(&one)?).await?;
    let _: () = app.redis.ltrim(&key, 0, 49).await?;
    let _: () = app.redis.expire(&key, 86_400).await?;
    Ok(app.publisher.publish(&one).await?.to_string())
}

/// Sends what is stored for a user, and then each notification as it comes.
pub(crate) async fn events(
    State(app): State<App>,
    Path(user): Path<String>,
) -> Result<impl IntoResponse, Failed> {
    let notifications = app.handle.subscribe(Notification::at(&user)).now()?;
    let (mut redis, key) = (app.redis, format!("example:notifications:{user}"));
    // At first, and whenever something may be missing: all that is stored.
    let updates = notifications
        .snapshot_with(async move |_gap| redis.lrange::<_, Vec<String>>(&key, 0, 49).await);
    let events = updates.map(|update| Event::default().json_data(update));
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}
