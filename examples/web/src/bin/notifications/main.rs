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

mod app;

use axum::response::Redirect;
use axum::routing::get;
use redis_push::Publisher;
use web::{Site, page};

#[tokio::main]
async fn main() -> web::Result {
    let site = Site::open().await?;
    let handle = site.subscriber().spawn()?;
    let redis = site.redis()?;
    let app = app::App {
        handle: handle.clone(),
        publisher: Publisher::over(redis.clone()),
        redis,
    };
    let router = app::routes(app)
        .route("/", get(async || Redirect::to("/ann")))
        .route("/{user}", get(async || page(include_str!("page.html"))));
    site.serve(handle, router, "/ann").await
}
