//! A cart that several people edit at once, and that is the same for all of them in the end.
//!
//! ```sh
//! cargo run -p web --bin sync
//! cargo run -p web --bin sync -- --port 8080
//! ```
//!
//! The cart is a hash in Redis, and each change of it is published with a number. A process holds one copy
//! of the cart, which a handler keeps up to date, and its pages show that copy. The gap handler reads all of
//! the cart: at the start, after an outage, and when a number is missing.
//!
//! | file | contents |
//! | --- | --- |
//! | `cart` | the cart, and how a change applies to it |
//! | `store` | the cart in Redis: reading, editing |
//! | `replica` | the copy of this process, with its handlers |

mod cart;
mod replica;
mod store;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures_util::{Stream, StreamExt as _, stream};
use redis_push::{Handle, handlers};
use web::{Failed, Site, page};

use replica::Replica;
use store::Store;

/// How many characters the name of an item can have.
const LONGEST: usize = 40;

#[derive(Clone)]
struct App {
    handle: Handle,
    replica: Replica,
    store: Store,
}

#[tokio::main]
async fn main() -> web::Result {
    let site = Site::open().await?;
    let store = Store::new(site.client()?, site.redis()?)?;
    let replica = Replica::new(store.clone());
    let handle = site
        .subscriber()
        .state(replica.clone())
        .handlers(handlers![replica::on_change.around(replica::print_reads)])
        .spawn()?;
    let app = App {
        handle: handle.clone(),
        replica,
        store,
    };
    let router = Router::new()
        .route("/", get(async || page(include_str!("page.html"))))
        .route("/events", get(events))
        .route("/items/{item}", post(edit))
        .with_state(app);
    site.serve(handle, router, "/").await
}

/// Adds to the quantity of an item, or takes from it.
async fn edit(
    State(app): State<App>,
    Path(item): Path<String>,
    quantity: String,
) -> Result<Response, Failed> {
    let refused = |why: &'static str| Ok((StatusCode::BAD_REQUEST, why).into_response());
    let Ok(quantity) = quantity.parse() else {
        return refused("this is no quantity");
    };
    if item.chars().count() > LONGEST {
        return refused("the name of the item is too long");
    }
    if !app.store.add(&item, quantity).await? {
        return refused("the cart is full");
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Sends the cart, and again whenever it has changed. A slow page skips to the newest.
async fn events(State(app): State<App>) -> Sse<impl Stream<Item = Result<Event, axum::Error>>> {
    let carts = stream::unfold(app.replica.follow(), async |mut carts| {
        carts.changed().await.ok()?;
        let cart = carts.borrow_and_update().clone();
        Some((cart, carts))
    });
    let carts = carts.filter_map(async |cart| Some(Event::default().json_data(cart?)));
    Sse::new(carts.take_until(app.handle.stopping())).keep_alive(KeepAlive::default())
}
