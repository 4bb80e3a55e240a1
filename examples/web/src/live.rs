//! The route `/live`, by which a page learns of an outage that the browser cannot see.

use std::convert::Infallible;

use axum::Router;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use futures_util::{Stream, StreamExt as _, stream};
use redis_push::Handle;

/// Sends `true` or `false` at once and at each change: whether the service hears its server.
///
/// While it does not, pages may be out of date. When it does again, each stream receives a gap, and the
/// pages receive what is current.
fn live(handle: &Handle) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let health = handle.watch_health();
    let now = health.get().is_ready();
    let changes = stream::unfold(health, async |mut health| {
        let is_ready = health.changed().await?.is_ready();
        Some((is_ready, health))
    });
    let all = stream::once(async move { now }).chain(changes);
    // Without an end of its own, the response would keep the web server from ending.
    let events = all
        .map(|is_ready| Ok(Event::default().data(is_ready.to_string())))
        .take_until(handle.stopping());
    Sse::new(events).keep_alive(KeepAlive::default())
}

pub(crate) fn route(handle: Handle) -> Router {
    Router::new().route("/live", get(async move || live(&handle)))
}
