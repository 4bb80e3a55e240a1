//! What an operator asks for: `/metrics` for Prometheus, `/health/ready` and `/health/live` for whatever
//! starts and restarts the service.

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use redis_push::{Handle, Stats};

/// All counts of the subscriber.
fn metrics(handle: &Handle) -> impl IntoResponse + use<> {
    let text = handle.stats().to_openmetrics();
    ([(CONTENT_TYPE, Stats::OPENMETRICS)], text)
}

/// 200 or 503, and the health in words.
fn probe(is_well: bool, handle: &Handle) -> impl IntoResponse + use<> {
    let status = match is_well {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, handle.health().to_string())
}

/// The routes of the probes.
pub fn route(handle: Handle) -> Router {
    let (ready, live) = (handle.clone(), handle.clone());
    let is_ready = async move || probe(ready.health().is_ready(), &ready);
    let is_live = async move || probe(live.health().is_live(), &live);
    Router::new()
        .route("/metrics", get(async move || metrics(&handle)))
        .route("/health/ready", get(is_ready))
        .route("/health/live", get(is_live))
}
