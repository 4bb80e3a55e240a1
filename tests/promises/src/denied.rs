//! P7: a server that denies some names.

use std::time::Duration;

use redis_push::Subscription;
use serde_json::json;
use tests::{RealServer, within};

use crate::context::{Context, unready};
use crate::figure::Figure;
use crate::publisher::{Publisher, payload};
use crate::stream::{Lane, Stream, recorder};

const NAMES: usize = 16;
const USER: &str = "worker";
const PASSWORD: &str = "worker-password";

/// Sums over the rounds.
#[derive(Default)]
struct Sums {
    denied: usize,
    allowed: usize,
    reported: usize,
    delivering: usize,
    back: usize,
}

pub(crate) async fn run(context: Context) {
    let rounds = context.pick(3, 20);
    let mut rng = context.rng("P7");
    let mut sums = Sums::default();
    let mut reasons = Vec::new();
    for _ in 0..rounds {
        let server = context.server().await;
        let mut lanes: Vec<_> = (0..NAMES - 1)
            .map(|i| Lane::channel(&format!("name{i}")))
            .collect();
        lanes.push(Lane {
            subscription: Subscription::pattern("wide.*"),
            ..Lane::pattern("wide")
        });
        rng.shuffle(&mut lanes);
        let denied = rng.usize(1..NAMES);
        let reason = round(&context, &server, &lanes, denied, &mut sums).await;
        reasons.push(reason);
    }
    let names = Figure::new(
        "P7",
        "allowed names that deliver while others are denied, part",
        part(sums.delivering, sums.allowed),
    );
    let detail = json!({"rounds": rounds, "allowed": sums.allowed, "denied": sums.denied});
    context.record(names.must_be(1).detail(detail));
    let reported = part(sums.reported, sums.denied);
    let figure = Figure::new(
        "P7",
        "denied names reported with the server's reason, part",
        reported,
    );
    reasons.sort();
    reasons.dedup();
    context.record(figure.must_be(1).detail(json!({"reasons": reasons})));
    let back = Figure::new(
        "P7",
        "denied names that deliver once allowed, part",
        part(sums.back, sums.denied),
    );
    context.record(back.must_be(1));
}

fn part(some: usize, all: usize) -> f64 {
    some as f64 / all as f64
}

/// Denies the first `denied` names to a running subscriber, then allows them again. Returns the
/// server's reason for the first name.
async fn round(
    context: &Context,
    server: &RealServer,
    lanes: &[Lane],
    denied: usize,
    sums: &mut Sums,
) -> String {
    allow(server, lanes).await;
    let url = format!("redis://{USER}:{PASSWORD}@{}/", server.addr());
    let (mounts, streams): (Vec<_>, Vec<_>) =
        lanes.iter().map(|lane| recorder(lane.spec())).unzip();
    let starting = context.subscriber(&url).handlers(mounts).start();
    let handle = within("the start", starting).await.expect("a start");
    let (no, yes) = lanes.split_at(denied);
    let (denied_streams, allowed_streams) = streams.split_at(denied);
    // The server closes the connection of a user who loses a channel.
    allow(server, yes).await;
    unready(&handle).await;
    let mut publisher = Publisher::connect(server.addr()).await;
    sums.allowed += yes.len();
    sums.delivering += deliver(&mut publisher, yes, allowed_streams, 0).await;

    sums.denied += no.len();
    let (mounts, _): (Vec<_>, Vec<_>) = lanes.iter().map(|lane| recorder(lane.spec())).unzip();
    let starting = context.subscriber(&url).handlers(mounts).start();
    let error = within("the start", starting)
        .await
        .expect_err("some names are denied");
    let text = error.to_string();
    let line = |lane: &Lane| {
        let name = format!("{},", lane.subscription);
        text.lines()
            .find(|line| line.trim_start().starts_with(&name))
    };
    let has_reason = |lane: &&Lane| line(lane).is_some_and(|line| line.contains("NOPERM"));
    sums.reported += usize::from(error.is_denied()) * no.iter().filter(has_reason).count();

    allow(server, lanes).await;
    within("every name to be allowed again", handle.ready()).await;
    sums.back += deliver(&mut publisher, no, denied_streams, 1).await;
    let reason = line(&no[0]).and_then(|line| line.split_once("NOPERM"));
    reason.map_or_else(String::new, |(_, rest)| format!("NOPERM{rest}"))
}

/// Allows the user to subscribe to these names only.
async fn allow(server: &RealServer, lanes: &[Lane]) {
    let password = format!(">{PASSWORD}");
    let names = lanes
        .iter()
        .map(|lane| format!("&{}", lane.subscription.name()));
    let names: Vec<_> = names.collect();
    let mut words = vec![
        "ACL",
        "SETUSER",
        USER,
        "on",
        &password,
        "+@all",
        "resetchannels",
    ];
    words.extend(names.iter().map(String::as_str));
    server.command(&words).await;
}

/// Publishes a number on each lane until it arrives. Returns on how many lanes it arrived.
async fn deliver(
    publisher: &mut Publisher,
    lanes: &[Lane],
    streams: &[Stream],
    number: u64,
) -> usize {
    const TRIES: usize = 50;
    let mut delivering = 0;
    for (lane, stream) in lanes.iter().zip(streams) {
        for _ in 0..TRIES {
            publisher.publish(&lane.channels[0], &payload(number, 0));
            publisher.fence().await;
            if stream.reaches(number, Duration::from_millis(100)).await {
                delivering += 1;
                break;
            }
        }
    }
    delivering
}
