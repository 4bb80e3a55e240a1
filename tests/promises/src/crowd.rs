//! P9: how much memory all handlers together may hold when all of them are stuck.

use std::time::Duration;

use redis_push::{Fault, Handle, Handler, Mount, Push, Spec};
use serde_json::json;
use tests::within;
use tokio::time::sleep;

use crate::context::Context;
use crate::figure::Figure;
use crate::publisher::{Publisher, payload};
use crate::stream::Lane;

const HANDLERS: usize = 1_000;
const PAYLOAD: usize = 1_000;
/// How many times as much as the limit is published.
const TIMES: usize = 3;

struct Stuck(Spec);

impl Handler<()> for Stuck {
    fn spec(&self) -> Spec {
        self.0.clone()
    }

    async fn handle(&self, _push: Push<'_>, _state: &()) -> Result<(), Fault> {
        std::future::pending().await
    }
}

pub(crate) async fn run(context: Context) {
    let limit = context.pick(8, 64) * 1024 * 1024;
    let rounds = TIMES * limit / PAYLOAD / HANDLERS;
    let server = context.server().await;
    let names: Vec<String> = (0..HANDLERS).map(|index| format!("stuck{index}")).collect();
    let mounts = names
        .iter()
        .map(|name| Mount::new(Stuck(Lane::channel(name).spec())));
    let starting = context
        .subscriber(server.url())
        .memory_limit(limit)
        // With its default the wire link would leave the messages in the server.
        .wire_wait(Duration::ZERO)
        .handlers(mounts)
        .start();
    let handle = within("the start", starting).await.expect("a start");
    let mut publisher = Publisher::connect(server.addr()).await;
    // Each handler receives one message before the others come, so only the others are in buffers.
    let mut published = publish(&mut publisher, &names).await;
    arrived(&handle, published, HANDLERS as u64).await;
    let mut most = 0;
    for _ in 0..rounds {
        published += publish(&mut publisher, &names).await;
        most = most.max(sum(&handle, |counts| counts.queued));
    }
    arrived(&handle, published, HANDLERS as u64).await;
    most = most.max(sum(&handle, |counts| counts.queued));
    let held = most as f64 * PAYLOAD as f64 / limit as f64;
    let figure = Figure::new("P9", "1,000 stuck handlers: held / memory_limit, max", held);
    let dropped = sum(&handle, |counts| counts.dropped);
    let detail = json!({"limit": limit, "published": published, "dropped": dropped});
    context.record(figure.at_most(1).detail(detail));
    let least = handle
        .stats()
        .handlers
        .iter()
        .map(|counts| counts.queued)
        .min();
    let figure = Figure::new(
        "P9",
        "1,000 stuck handlers: those whose buffer was emptied for others",
        u64::from(least == Some(0)),
    );
    context.record(figure.must_be(0));
}

/// Publishes one message for each handler, and returns how many that were.
async fn publish(publisher: &mut Publisher, names: &[String]) -> u64 {
    for (number, name) in (0..).zip(names) {
        publisher.publish(name, &payload(number, PAYLOAD));
    }
    publisher.fence().await;
    names.len() as u64
}

async fn arrived(handle: &Handle, published: u64, running: u64) {
    within("every message to have arrived", async {
        while sum(handle, |counts| counts.received) < published
            || sum(handle, |counts| counts.running) < running
        {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

fn sum(handle: &Handle, count: impl Fn(&redis_push::HandlerStats) -> u64) -> u64 {
    handle.stats().handlers.iter().map(count).sum()
}
