//! Notifications for the users of a web service, in every page that a user has open.
//!
//! ```sh
//! cargo run -p web --bin notifications
//! cargo run -p web --bin notifications -- --port 8080
//! ```
//!
//! The page of a user is `/` and a name, such as `/ann`. Each page is one stream: the service subscribes
//! to the channel of a user while that user has a page open. There is no login: whoever knows the name
//! reads the notifications.

mod user;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::Redirect;
use axum::routing::{get, post};
use redis::aio::ConnectionManager;
use redis::{AsyncCommands as _, RedisResult};
use redis_push::{Handle, Publisher};
use web::{Site, page};

/// The services that run, for whatever shares out the requests between them.
const SERVICES: &str = "example:notifications:services";

#[derive(Clone)]
struct App {
    handle: Handle,
    publisher: Publisher,
    /// For commands, apart from the subscriber.
    redis: ConnectionManager,
}

#[tokio::main]
async fn main() -> web::Result {
    let site = Site::open().await?;
    let redis = site.redis()?;
    let (address, end) = (site.address()?, site.address()?);
    let handle = site
        .subscriber()
        .state(redis.clone())
        .on_ready(move |_handle, redis| async move { enter(&redis, &address).await })
        // The pages have their end by then, and commands can still be sent.
        .on_stop(move |redis, _left| async move { leave(&redis, &end).await })
        .spawn()?;
    let app = App {
        handle: handle.clone(),
        publisher: Publisher::over(redis.clone()),
        redis,
    };
    let notify = post(user::notify).layer(DefaultBodyLimit::max(1_024));
    let router = Router::new()
        .route("/{user}/notifications", notify)
        .route("/{user}/events", get(user::events))
        .with_state(app)
        .route("/", get(async || Redirect::to("/ann")))
        .route("/{user}", get(async || page(include_str!("page.html"))));
    site.serve(handle, router, "/ann").await
}

async fn enter(redis: &ConnectionManager, address: &str) -> RedisResult<()> {
    redis.clone().sadd(SERVICES, address).await
}

async fn leave(redis: &ConnectionManager, address: &str) -> RedisResult<()> {
    redis.clone().srem(SERVICES, address).await
}
