//! Live charts of prices, one symbol on each page.
//!
//! ```sh
//! cargo run -p web --bin ticker
//! cargo run -p web --bin ticker -- --port 8080
//! ```
//!
//! The page of a symbol is `/EURUSD`. It is one stream of the newest quote: a page that is slower than the
//! market skips quotes, and holds up nobody. The program publishes the quotes as well.

mod app;
mod market;

use axum::response::Redirect;
use axum::routing::get;
use redis_push::Publisher;
use web::{Site, page};

#[tokio::main]
async fn main() -> web::Result {
    let site = Site::open().await?;
    let handle = site.subscriber().spawn()?;
    let redis = site.redis()?;
    let market = market::run(Publisher::over(redis.clone()), redis.clone());
    let app = app::App {
        handle: handle.clone(),
        redis,
    };
    let router = app::routes(app)
        .route("/", get(async || Redirect::to("/EURUSD")))
        .route("/{symbol}", get(async || page(include_str!("page.html"))));
    tokio::select! {
        served = site.serve(handle, router, "/EURUSD") => served,
        stopped = market => match stopped? {},
    }
}
