//! What the kit refuses, what it waits for, and for how long.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis_push::testing::{Broker, TestKit, deliver};
use redis_push::{
    Event, GapCause, KeyEvent, NearCache, Publish, Publisher, PushMessage, Subscriber, handlers,
    push_handler,
};
use tests::{RealServer, Server};
use tokio::sync::broadcast;
use tokio::time::timeout;

use crate::app::{Mistake, Reading, app};
use crate::run_paused;

const UNUSED: &str = "redis://unused/";

#[derive(Debug, PushMessage)]
#[push(channel = "ping")]
struct Ping {
    number: u64,
}

#[derive(Debug, PushMessage)]
#[push(channel = "pong")]
struct Pong {
    number: u64,
}

#[push_handler]
async fn on_ping(ping: Ping) -> Publish<Pong> {
    Publish(Pong {
        number: ping.number,
    })
}

#[push_handler]
async fn on_pong(pong: Pong) -> Publish<Ping> {
    Publish(Ping {
        number: pong.number + 1,
    })
}

pub(crate) async fn handlers_that_answer_each_other_are_named() {
    run_paused(|| async {
        let app = Subscriber::new(UNUSED).handlers(handlers![on_ping, on_pong]);
        let kit = TestKit::start(app).await.unwrap().settle_deliveries(200);
        let error = kit.publish(&Ping { number: 0 }).await.unwrap_err();
        assert!(error.is_timeout());
        let text = error.to_string();
        assert!(
            text.contains("`on_ping` (") && text.contains("`on_pong` ("),
            "{text}"
        );
        assert!(text.contains("limits.rs:"), "{text}");
    })
    .await;
}

#[push_handler(channel = "wait")]
async fn on_wait(for_ever: &str) {
    if for_ever == "for ever" {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(Duration::from_secs(60 * 60)).await;
}

pub(crate) async fn a_handler_that_does_not_end_is_named() {
    run_paused(|| async {
        let app = Subscriber::new(UNUSED).handlers(handlers![on_wait]);
        let kit = TestKit::start(app).await.unwrap();
        let kit = kit.settle_within(Duration::from_secs(60));
        let error = kit.publish_raw("wait", "for ever").await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("`on_wait` (") && text.contains("under way"),
            "{text}"
        );
    })
    .await;
}

pub(crate) async fn hours_pass_in_seconds() {
    run_paused(|| async {
        let app = Subscriber::new(UNUSED).handlers(handlers![on_wait]);
        let kit = TestKit::start(app).await.unwrap();
        let kit = kit.settle_within(Duration::from_secs(48 * 60 * 60));
        kit.publish_raw("wait", "an hour").await.unwrap();
        kit.handler("on_wait").assert_once().handled();
        kit.outage(Duration::from_secs(60 * 60)).await.unwrap();
        kit.handler("on_wait").assert_gap(GapCause::ConnectionLost);
    })
    .await;
}

/// As the guide says: the kit bounds its own waits, and a test those that it makes itself.
pub(crate) async fn a_wait_for_a_gap_that_does_not_come_ends_by_a_timeout() {
    run_paused(|| async {
        let app = Subscriber::new(UNUSED).handlers(handlers![on_wait]);
        let kit = TestKit::start(app).await.unwrap();
        let mut stream = kit.handle().subscribe(Pong::at()).await.unwrap();
        // The stream has read nothing, so this becomes a part of its first gap.
        kit.outage(Duration::from_secs(60)).await.unwrap();
        let minute = Duration::from_secs(60);
        let first = timeout(minute, stream.next()).await.unwrap();
        assert!(matches!(first, Some(Event::Gap(_))), "{first:?}");
        let begun = Instant::now();
        let second = timeout(minute, stream.next()).await;
        assert!(second.is_err(), "{second:?}");
        assert!(
            begun.elapsed() < minute,
            "the time is that of the paused clock"
        );
        let calls = kit.stream("pong");
        calls.assert_gap(GapCause::Initial);
        assert_eq!(calls.gaps().count(), 1);
    })
    .await;
}

pub(crate) async fn a_connection_that_cannot_be_redirected_is_named() {
    let broker = Broker::start().await.unwrap();
    let client = redis::Client::open(broker.url()).unwrap();
    let manager = client.get_connection_manager().await.unwrap();
    let (_sender, receiver) = broadcast::channel(16);
    let attached = Subscriber::attach(manager.clone(), receiver);
    let error = TestKit::start(attached).await.unwrap_err();
    assert!(
        error.is_config() && error.to_string().contains("`Subscriber::attach`"),
        "{error}"
    );
    let own = Subscriber::new(UNUSED).publisher(Publisher::over(manager));
    let error = TestKit::start(own).await.unwrap_err();
    assert!(
        error.is_config() && error.to_string().contains("`Publisher::over`"),
        "{error}"
    );
}

pub(crate) async fn a_name_that_is_denied_is_reported_and_comes_back() {
    run_paused(|| async {
        let kit = TestKit::start(app(UNUSED, Mistake::None)).await.unwrap();
        kit.deny("readings.*").await.unwrap();
        let health = kit.handle().health().to_string();
        assert!(health.contains("readings.{room}"), "{health}");
        let reading = Reading {
            room: 1,
            celsius: 1.0,
        };
        assert_eq!(kit.publish(&reading).await.unwrap(), 0);
        kit.handler("on_reading").assert_never();
        kit.allow("readings.*").await.unwrap();
        kit.publish(&reading).await.unwrap();
        kit.handler("on_reading").assert_once().with(&reading);
        kit.handler("on_reading")
            .assert_gap(GapCause::ConnectionLost);
    })
    .await;
}

pub(crate) async fn a_live_run_refuses_a_paused_clock() {
    run_paused(|| async {
        let error = TestKit::live(app(UNUSED, Mistake::None), "redis://127.0.0.1:1/").await;
        let error = error.unwrap_err();
        assert!(
            error.is_config() && error.to_string().contains("paused"),
            "{error}"
        );
    })
    .await;
}

pub(crate) async fn two_kits_on_one_runtime_do_not_share_a_publisher() {
    run_paused(|| async {
        let first = TestKit::start(app(UNUSED, Mistake::None)).await.unwrap();
        let second = TestKit::start(app(UNUSED, Mistake::None)).await.unwrap();
        let heat = Reading {
            room: 1,
            celsius: 50.0,
        };
        first.publish(&heat).await.unwrap();
        second.handler("on_reading").assert_never();
        first.handler("on_reading").assert_once().handled();
        // Its publisher may belong to either of them.
        first
            .handler("on_alarm")
            .assert_once()
            .failed("several test kits");
        drop(second);
        first.publish(&heat).await.unwrap();
        first.handler("on_alarm").last().handled();
    })
    .await;
}

#[push_handler(keyspace = "user:{id}")]
async fn on_user(event: KeyEvent<'_>) -> Result<(), &'static str> {
    match event.event {
        "set" => Ok(()),
        _ => Err("another event"),
    }
}

pub(crate) async fn key_events_and_caches_work() {
    run_paused(|| async {
        let app = Subscriber::new(UNUSED).handlers(handlers![on_user]);
        let kit = TestKit::start(app).await.unwrap();
        let client = redis::Client::open(kit.url()).unwrap();
        let mut client = client.get_multiplexed_async_connection().await.unwrap();
        let names = NearCache::<u64, String>::new(kit.handle(), "user:{id}").text();
        let names = names.await.unwrap();
        for name in ["Ada", "Bob"] {
            let set = redis::cmd("SET").arg("user:7").arg(name).to_owned();
            set.exec_async(&mut client).await.unwrap();
            kit.settle().await.unwrap();
            let cached = names.get(&7).await.unwrap();
            assert_eq!(cached, Some(Arc::new(name.to_owned())));
        }
        kit.handler("on_user").called(2).handled();
    })
    .await;
}

#[push_handler(channel = "doors.{room}", timeout = "1s")]
async fn on_door(state: &str) {
    match state {
        "stuck" => std::future::pending().await,
        "broken" => panic!("the door is broken"),
        _ => {}
    }
}

pub(crate) async fn one_handler_is_called_without_a_server() {
    run_paused(|| async {
        let doors = "doors.7";
        let call = deliver(on_door {}, doors, "open", &()).await;
        call.on(doors).with_payload("open").handled();
        deliver(on_door {}, doors, "stuck", &()).await.timed_out();
        let call = deliver(on_door {}, doors, "broken", &()).await;
        call.panicked("is broken");
        deliver(on_door {}, "doors.7.key", "open", &())
            .await
            .unmatched();
        let elsewhere = || drop(deliver(on_door {}, "windows.7", "open", &()));
        let panic = catch_unwind(AssertUnwindSafe(elsewhere)).unwrap_err();
        let message = *panic.downcast::<String>().unwrap();
        let has = |text| message.contains(text);
        assert!(has("`on_door` (") && has("listens to"), "{message}");
    })
    .await;
}

pub(crate) async fn an_outage_of_no_length_is_an_outage(server: Server) {
    let app = app(UNUSED, Mistake::None);
    let kit = match &server {
        Server::Broker(_) => TestKit::start(app).await,
        Server::Real(server) => TestKit::live(app, server.url()).await,
    };
    let kit = kit.unwrap();
    for outages in 1..=3 {
        kit.outage(Duration::ZERO).await.unwrap();
        let calls = kit.handler("on_reading");
        let lost = calls
            .gaps()
            .filter(|gap| gap.cause == GapCause::ConnectionLost);
        assert_eq!(lost.count(), outages);
    }
}

pub(crate) async fn faults_that_a_live_server_does_not_have_are_refused(server: RealServer) {
    let kit = TestKit::live(app(UNUSED, Mistake::None), server.url()).await;
    let kit = kit.unwrap();
    let error = kit.deny("readings.*").await.unwrap_err();
    assert!(
        error.is_config() && error.to_string().contains("`deny`"),
        "{error}"
    );
    assert!(kit.broker().is_none());
}
