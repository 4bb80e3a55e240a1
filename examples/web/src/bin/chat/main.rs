//! Chat rooms, over two server processes.
//!
//! ```sh
//! cargo run -p web --bin chat
//! cargo run -p web --bin chat -- --port 8080
//! ```
//!
//! The first command starts two processes, as a service has behind its load balancer, and prints their
//! ports. Whoever is in a room sees what is said in it, and who is there, through either of them. With
//! `--port` it is one process alone, and `REDIS_URL` says which server it shares with others.
//!
//! | file | contents |
//! | --- | --- |
//! | `room` | what is said, and who is there, in Redis |
//! | `visit` | one browser in one room: a WebSocket |

mod room;
mod visit;

use axum::Router;
use axum::response::Redirect;
use axum::routing::{any, get};
use redis_push::Publisher;
use web::{Site, page, processes};

#[tokio::main]
async fn main() -> web::Result {
    if std::env::args().len() == 1 {
        return processes::run(&[8081, 8082]).await;
    }
    let site = Site::open().await?;
    let handle = site.subscriber().spawn()?;
    let redis = site.redis()?;
    let rooms = room::Rooms {
        handle: handle.clone(),
        publisher: Publisher::over(redis.clone()),
        redis,
    };
    let router = Router::new()
        .route("/{room}/{name}/socket", any(visit::open))
        .with_state(rooms)
        .route("/", get(async || Redirect::to("/lobby")))
        .route("/{room}", get(async || page(include_str!("page.html"))));
    site.serve(handle, router, "/lobby").await
}
