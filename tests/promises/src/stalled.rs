//! P2 where the server itself drops a subscriber, or stalls.

use std::time::Duration;

use redis_push::GapCause;
use serde_json::json;
use tests::{Proxy, RealServer, Way, within};
use tokio::time::sleep;

use crate::context::Context;
use crate::figure::Figure;
use crate::ledger::Ledger;
use crate::listener::{Listener, Setting};
use crate::publisher::{Publisher, payload};
use crate::stream::{Event, Lane, Stream};

/// How much a subscriber may leave unread.
const LIMIT: &str = "pubsub 1mb 0 0";
/// More than that limit and the buffers of two sockets hold, in payloads that Valkey counts:
/// payloads of 16 KB and more wait outside of its output buffers.
const MESSAGES: u64 = 3_000;
const BYTES: usize = 8 * 1024;

pub(crate) async fn run(context: Context) {
    let rounds = context.pick(2, 10);
    // Before 7.0, `DEBUG` needs no permission, and the server refuses a setting that it does not know.
    let allow_debug: &[&str] = match context.binary.version() >= (7, 0) {
        true => &["--enable-debug-command", "yes"],
        false => &[],
    };
    let server = RealServer::start_with(&context.binary, allow_debug).await;
    server
        .command(&["CONFIG", "SET", "client-output-buffer-limit", LIMIT])
        .await;
    let proxy = Proxy::start(server.addr(), context.seed).await;
    let lanes = [Lane::channel("ballast")];
    let setting = Setting::of(&context, &lanes).with_streams();
    let listener = setting.start(&proxy.url()).await;
    let mut publisher = Publisher::connect(server.addr()).await;
    let mut published = 0;
    for _ in 0..rounds {
        overflow(&listener, &proxy, &mut publisher, &mut published).await;
        // A server that is busy for a second must not count as gone.
        publisher.command(&[b"DEBUG", b"SLEEP", b"1"]);
        publish(&mut publisher, &mut published, 10).await;
        listener.catches_up(&[published], tests::BOUND).await;
    }
    let events: Vec<_> = listener.streams.iter().map(Stream::events).collect();
    let ledgers = events.iter().map(|events| Ledger::of(events, published));
    let ledger = ledgers.fold(Ledger::default(), Ledger::plus);
    let lost =
        |event: &&Event| matches!(event, Event::Gap(gap) if gap.cause == GapCause::ConnectionLost);
    let gaps = events.iter().flatten().filter(lost).count();
    let what = "unreported losses where the server drops its queue";
    let figure = Figure::new("P2", what, ledger.unreported).must_be(0);
    context.record(figure.detail(json!({
        "overflows": rounds,
        "gaps": gaps,
        "handlers_and_streams": events.len(),
        "reported": ledger.reported,
        "delivered": ledger.delivered,
        "limit": LIMIT,
    })));
}

/// Keeps the subscriber from reading until the server drops it, and waits until it is subscribed
/// again.
async fn overflow(
    listener: &Listener,
    proxy: &Proxy,
    publisher: &mut Publisher,
    published: &mut u64,
) {
    let handle = listener.handle.as_ref().expect("the library");
    let before = handle.stats().feed.reconnects;
    proxy.black_hole(Way::ToClient, true);
    publish(publisher, published, MESSAGES).await;
    proxy.black_hole(Way::ToClient, false);
    within("the next connection", async {
        while handle.stats().feed.reconnects == before || !handle.is_ready() {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

async fn publish(publisher: &mut Publisher, published: &mut u64, count: u64) {
    for _ in 0..count {
        publisher.publish("ballast", &payload(*published, BYTES));
        *published += 1;
        publisher.flush().await.expect("a connection");
    }
    publisher.fence().await;
}
