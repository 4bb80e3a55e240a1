use axum::Json;
use axum::extract::{Path, Query, State};
use redis_push::{Gap, gap_handler, push_handler};

mod axum {
    pub(crate) struct Json<T>(pub(crate) T);

    pub(crate) mod extract {
        pub(crate) struct State<T>(pub(crate) T);
        pub(crate) struct Path<T>(pub(crate) T);
        pub(crate) struct Query<T>(pub(crate) T);
    }
}

#[derive(Clone)]
struct Db;

#[push_handler(channel = "orders")]
async fn takes_state(State(_db): State<Db>) {}

#[push_handler(channel = "orders")]
async fn takes_json(Json(_order): Json<u32>) {}

#[push_handler(channel = "orders.{id}")]
async fn takes_path(Path(_id): Path<u64>) {}

#[push_handler(channel = "orders")]
async fn takes_query(Query(_order): Query<u32>) {}

#[gap_handler]
async fn takes_state_at_a_gap(_gap: Gap, State(_db): State<Db>) {}

fn main() {}
