//! Every setting at its extremes: each has a meaning or an error, and none panics.

use std::time::Duration;

use redis_push::testing::Broker;
use redis_push::{
    FailureSink, Fault, Handler, Mount, Publisher, Push, Rejection, Spec, Subscriber, Subscription,
    handlers, push_handler,
};
use tests::{RealServer, Server, eventually, within};

use crate::support::{linked, recorder_of, subscriber};

const HUGE: Duration = Duration::MAX;
const NONE: Duration = Duration::ZERO;

fn spec() -> Spec {
    Spec::new("a").on(Subscription::channel("a"))
}

type Set<T> = Box<dyn Fn(T) -> T>;

fn set<T>(name: &'static str, set: impl Fn(T) -> T + 'static) -> (&'static str, Set<T>) {
    (name, Box::new(set))
}

/// Settings with which a subscriber works as usual.
fn harmless() -> Vec<(&'static str, Set<Subscriber>)> {
    vec![
        set("ping(huge, 5s)", |s: Subscriber| {
            s.ping(HUGE, Duration::from_secs(5))
        }),
        set("ping(1s, huge)", |s: Subscriber| {
            s.ping(Duration::from_secs(1), HUGE)
        }),
        set("ping(huge, huge)", |s: Subscriber| s.ping(HUGE, HUGE)),
        set("connect_timeout(huge)", |s: Subscriber| {
            s.connect_timeout(HUGE)
        }),
        set("reconnect_delay(0, 0)", |s: Subscriber| {
            s.reconnect_delay(NONE, NONE)
        }),
        set("reconnect_delay(huge, 0)", |s: Subscriber| {
            s.reconnect_delay(HUGE, NONE)
        }),
        set("reconnect_delay(0, huge)", |s: Subscriber| {
            s.reconnect_delay(NONE, HUGE)
        }),
        set("wire_wait(0)", |s: Subscriber| s.wire_wait(NONE)),
        set("wire_wait(huge)", |s: Subscriber| s.wire_wait(HUGE)),
        set("memory_limit(0)", |s: Subscriber| s.memory_limit(0)),
        set("memory_limit(huge)", |s: Subscriber| {
            s.memory_limit(usize::MAX)
        }),
        set("max_payload(huge)", |s: Subscriber| {
            s.max_payload(usize::MAX)
        }),
        set("start_deadline(huge)", |s: Subscriber| {
            s.start_deadline(HUGE)
        }),
        set("drain_deadline(0)", |s: Subscriber| s.drain_deadline(NONE)),
        set("drain_deadline(huge)", |s: Subscriber| {
            s.drain_deadline(HUGE)
        }),
        set("exit_if_deaf(huge)", |s: Subscriber| s.exit_if_deaf(HUGE)),
    ]
}

/// Settings with which a subscriber may not start, or may not receive messages.
fn harmful() -> Vec<(&'static str, Set<Subscriber>)> {
    vec![
        set("ping(0, 0)", |s: Subscriber| s.ping(NONE, NONE)),
        set("connect_timeout(0)", |s: Subscriber| {
            s.connect_timeout(NONE)
        }),
        set("max_payload(0)", |s: Subscriber| s.max_payload(0)),
        set("start_deadline(0)", |s: Subscriber| s.start_deadline(NONE)),
        set("reconnect_delay(huge, huge)", |s: Subscriber| {
            s.reconnect_delay(HUGE, HUGE)
        }),
    ]
}

/// Options of a handler with which it could never do its work.
fn senseless() -> Vec<(&'static str, Set<Mount<()>>)> {
    vec![
        set("timeout(0)", |m: Mount<()>| m.timeout(NONE)),
        set("stall_limit(0)", |m: Mount<()>| m.stall_limit(NONE)),
    ]
}

/// Options of a handler.
fn options() -> Vec<(&'static str, Set<Mount<()>>)> {
    vec![
        set("buffer(0)", |m: Mount<()>| m.buffer(0)),
        set("buffer(huge)", |m: Mount<()>| m.buffer(usize::MAX)),
        set("buffer_bytes(0)", |m: Mount<()>| m.buffer_bytes(0)),
        set("buffer_bytes(huge)", |m: Mount<()>| {
            m.buffer_bytes(usize::MAX)
        }),
        set("timeout(huge)", |m: Mount<()>| m.timeout(HUGE)),
        set("stall_limit(huge)", |m: Mount<()>| m.stall_limit(HUGE)),
        set("workers(0)", |m: Mount<()>| m.workers(0)),
        set("workers(huge)", |m: Mount<()>| m.workers(usize::MAX)),
    ]
}

#[push_handler(
    channel = "a",
    timeout = "5124095576h",
    stall_limit = "5124095576h",
    buffer = 18_446_744_073_709_551_615,
    buffer_bytes = 18_446_744_073_709_551_615,
    workers = 18_446_744_073_709_551_615
)]
async fn on_extremes(_text: &str) {}

pub(crate) async fn every_setting_may_be_zero_or_huge() {
    let plain = |url: String| subscriber(url);
    let server = Server::Broker(Broker::start().await.unwrap());
    for (name, set) in harmless() {
        println!("{name}");
        let mount = recorder_of(spec()).0;
        works(&server, name, set(plain(server.url())).handlers([mount])).await;
    }
    for (name, set) in options() {
        println!("{name}");
        let mount = set(recorder_of(spec()).0);
        works(&server, name, plain(server.url()).handlers([mount])).await;
    }
    for (name, set) in senseless() {
        let mount = set(recorder_of(spec()).0);
        let starting = plain(server.url()).handlers([mount]).start();
        let error = within(name, starting).await.expect_err(name);
        assert!(error.is_config(), "{name}: {error}");
    }
    let extreme = plain(server.url()).handlers(handlers![on_extremes]);
    works(&server, "an attribute", extreme).await;
    for (name, set) in harmful() {
        println!("{name}");
        let deadline = Duration::from_secs(2);
        let subscriber = set(linked(Subscriber::new(server.url())).start_deadline(deadline));
        let starting = subscriber.handlers([recorder_of(spec()).0]).start();
        match within(name, starting).await {
            Ok(handle) => assert_eq!(handle.stats().restarts, 0, "{name}"),
            Err(error) => assert!(error.is_timeout(), "{name}: {error}"),
        }
    }
}

/// Checks that a message is delivered, and another one after a reconnect.
async fn works(server: &Server, name: &str, subscriber: Subscriber) {
    let handle = within(name, subscriber.start()).await.unwrap();
    for delivered in 1..=2 {
        within("readiness", handle.ready()).await;
        server.publish("a", "1").await;
        eventually(name, async || {
            handle.stats().handlers[0].delivered() == delivered
        })
        .await;
        if delivered == 1 {
            server.kill_connections().await;
            eventually(name, async || handle.stats().feed.reconnects == 1).await;
        }
    }
    let report = within(name, handle.shutdown(HUGE)).await;
    assert_eq!(report.stats.restarts, 0, "{name}");
    server.wait_for_subscribers_of("a", 0).await;
}

pub(crate) async fn a_publishers_timeout_may_be_zero_or_huge(server: Server) {
    let publisher = Publisher::new(server.url()).unwrap();
    let patient = publisher.clone().timeout(HUGE);
    within("a publish", patient.publish_to("a", "1"))
        .await
        .unwrap();
    let hasty = Publisher::new(server.url()).unwrap().timeout(NONE);
    // On a fast connection, the reply may arrive before the timer fires.
    if let Err(error) = within("an end", hasty.publish_to("a", "1")).await {
        assert!(error.is_connection() || error.is_timeout(), "{error}");
    }
}

pub(crate) async fn a_sinks_length_may_be_zero_or_huge(server: RealServer) {
    let server = Server::Real(server);
    for max_len in [0, usize::MAX] {
        let url = || server.url();
        let stream = FailureSink::stream(url(), format!("stream-{max_len}"), max_len);
        let list = FailureSink::list(url(), format!("list-{max_len}"), max_len);
        for sink in [stream.unwrap(), list.unwrap()] {
            let starting = subscriber(url())
                .handlers([Mount::new(Rejecting)])
                .on_failure(sink)
                .start();
            let handle = within("the start", starting).await.unwrap();
            server.publish("a", "1").await;
            eventually("the failure to be written", async || {
                handle.stats().failures.told == 1
            })
            .await;
            within("the shutdown", handle.shutdown(HUGE)).await;
            server.wait_for_subscribers_of("a", 0).await;
        }
    }
}

struct Rejecting;

impl Handler<()> for Rejecting {
    fn spec(&self) -> Spec {
        spec()
    }

    async fn handle(&self, _push: Push<'_>, _state: &()) -> Result<(), Fault> {
        Err(Rejection::new("not this one").into())
    }
}
