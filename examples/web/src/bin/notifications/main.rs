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
use redis_push::{Handle, Publisher};
use web::{Site, page};

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
    let handle = site.subscriber().spawn()?;
    let redis = site.redis()?;
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
