//! Messages published by handlers and by publishers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use redis_push::redis::aio::{ConnectionLike, ConnectionManagerConfig};
use redis_push::redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, RedisFuture, Value};
use redis_push::{
    Credentials, Endpoint, FailureKind, Handle, Param, Publish, Publisher, PushMessage, Subscriber,
    Subscription, Text, handlers, push_handler,
};
use tests::{Proxy, RealServer, Server, eventually, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout;

use crate::support::{recorder, start, subscriber};

#[derive(PushMessage)]
#[push(channel = "answers.{id}", codec = text)]
struct Answer {
    id: u64,
    text: String,
}

#[push_handler(channel = "questions.{id}")]
async fn on_question(Param(id): Param<u64>, text: &str) -> Option<Publish<Answer>> {
    let text = text.to_uppercase();
    (id > 0).then_some(Publish(Answer { id, text }))
}

async fn ends_well(handle: Handle) {
    let report = within("the end", handle.shutdown(Duration::from_secs(5))).await;
    let mut counts = report.stats.handlers.iter();
    assert!(counts.all(|counts| counts.failed == 0), "{report}");
}

pub(crate) async fn answers_are_published_over_a_second_connection(server: Server) {
    let (answers, mut journal) = recorder("answers", Subscription::pattern("answers.*"));
    let [questions] = <[_; 1]>::try_from(handlers![on_question]).expect("one mount");
    let handle = start(server.url(), [answers, questions]).await;
    journal.begins().await;
    for id in ["0", "1", "2"] {
        server.publish(&format!("questions.{id}"), "why").await;
    }
    journal.message("answers.1", "WHY").await;
    journal.message("answers.2", "WHY").await;
    // Both connections are killed, and both are established again.
    server.kill_connections().await;
    journal.lost_connection().await;
    within("readiness", handle.ready()).await;
    server.publish("questions.3", "how").await;
    journal.message("answers.3", "HOW").await;
    ends_well(handle).await;
}

pub(crate) async fn answers_of_an_attached_handler_go_over_the_services_manager(server: Server) {
    let (sender, receiver) = broadcast::channel(100);
    let client = Client::open(format!("{}?protocol=resp3", server.url())).unwrap();
    let config = ConnectionManagerConfig::new().set_push_sender(sender);
    let manager = within(
        "a connection",
        client.get_connection_manager_with_config(config),
    );
    let manager = manager.await.unwrap();
    let (answers, mut journal) = recorder("answers", Subscription::pattern("answers.*"));
    let attached = Subscriber::attach(manager, receiver)
        .handlers([answers])
        .handlers(handlers![on_question]);
    let handle = within("the start", attached.start()).await.unwrap();
    journal.begins().await;
    server.publish("questions.1", "why").await;
    journal.message("answers.1", "WHY").await;
    ends_well(handle).await;
}

pub(crate) async fn a_publisher_comes_back_after_an_outage(server: Server) {
    let (mount, mut journal) = recorder("text", Subscription::channel("text"));
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    let publisher = Publisher::new(server.url()).unwrap();
    assert_eq!(publisher.publish_to("text", "1").await.unwrap(), 1);
    journal.message("text", "1").await;

    server.stop().await;
    let lost = within("an error", publisher.publish_to("text", "lost")).await;
    assert!(
        lost.as_ref().is_err_and(redis_push::Error::is_connection),
        "{lost:?}"
    );
    server.start_again().await;
    journal.lost_connection().await;
    within("readiness", handle.ready()).await;
    eventually("a publish goes through", async || {
        let published = publisher.publish_to("text", &Text(2)).await;
        published.is_ok_and(|receivers| receivers == 1)
    })
    .await;
    journal.message("text", "2").await;
}

pub(crate) async fn a_publish_without_a_reply_times_out(server: Server) {
    let publisher = Publisher::new(server.url())
        .unwrap()
        .timeout(Duration::from_secs(1));
    within("a publish", publisher.publish_to("text", "1"))
        .await
        .unwrap();
    server.freeze(true);
    let error = within("an error", publisher.publish_to("text", "2"))
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(
        error.to_string().starts_with("not known to be published"),
        "{error}"
    );
    server.freeze(false);
    let patient = publisher.timeout(Duration::from_secs(20));
    within("a publish", patient.publish_to("text", "3"))
        .await
        .unwrap();
}

pub(crate) async fn a_dead_connection_is_found_even_if_callers_drop_their_publishes(
    server: Server,
) {
    let proxy = Proxy::start(server.addr(), 0).await;
    let publisher = Publisher::new(proxy.url()).unwrap();
    within("a publish", publisher.publish_to("text", "1"))
        .await
        .unwrap();
    // The connection looks open, but gets no more replies.
    proxy.forget_server();
    eventually("another connection", async || {
        let impatient = Duration::from_millis(100);
        let published = timeout(impatient, publisher.publish_to("text", "2")).await;
        published.is_ok_and(|published| published.is_ok())
    })
    .await;
}

pub(crate) async fn a_publisher_with_a_wrong_password_gets_an_auth_error(server: Server) {
    server.set_password(Some("right")).await;
    let url = format!("redis://:wrong@{}/", server.addr());
    let publisher = Publisher::new(url).unwrap();
    for _ in 0..3 {
        let error = within("an error", publisher.publish_to("text", "1")).await;
        let error = error.unwrap_err();
        assert!(error.is_auth(), "{error}");
        assert!(!error.to_string().contains("wrong@"), "{error}");
    }
}

pub(crate) async fn many_messages_are_published_in_their_order(server: Server) {
    let (mount, mut journal) = recorder("answers", Subscription::pattern("answers.*"));
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    // A busy machine may need longer than the half a second that redis-rs waits for a reply.
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let client = Client::open(server.url()).unwrap();
    let connection = client.get_multiplexed_async_connection_with_config(&config);
    let publisher = Publisher::over(connection.await.unwrap());
    let messages = (0..2_500).map(|id| Answer {
        id,
        text: id.to_string(),
    });
    let messages: Vec<_> = messages.collect();
    let receivers = within("the publishes", publisher.publish_all(&messages)).await;
    assert_eq!(receivers.unwrap(), vec![1; 2_500]);
    for id in 0..2_500 {
        let id = id.to_string();
        journal.message(&format!("answers.{id}"), &id).await;
    }
    ends_well(handle).await;
}

pub(crate) async fn a_refused_answer_is_a_failure_of_its_handler(server: RealServer) {
    server
        .command(&[
            "ACL",
            "SETUSER",
            "mute",
            "reset",
            "on",
            ">pw",
            "&*",
            "-@all",
            "+psubscribe",
            "+punsubscribe",
            "+ping",
            "+client",
        ])
        .await;
    let (sender, mut failures) = unbounded_channel();
    let url = format!("redis://mute:pw@{}/", server.addr());
    let handle = subscriber(url).handlers(handlers![on_question]).on_failure(
        move |failure: redis_push::Failure| {
            let _ = sender.send((failure.kind(), failure.detail()));
            async {}
        },
    );
    let handle = within("the start", handle.start()).await.unwrap();
    server.command(&["PUBLISH", "questions.1", "why"]).await;
    let (kind, reason) = within("the failure", failures.recv()).await.unwrap();
    assert_eq!(kind, FailureKind::Failed);
    assert!(
        reason.contains("not published") && reason.contains("no permissions"),
        "{reason}"
    );
    assert_eq!(handle.stats().handlers[0].failed, 1);
}

pub(crate) async fn the_first_publish_after_an_outage_tries_the_server_again(server: Server) {
    let publisher = Publisher::new(server.url()).unwrap();
    within("a publish", publisher.publish_to("text", "1"))
        .await
        .unwrap();
    server.stop().await;
    // Long enough for many attempts.
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..80 {
        let failed = within("an error", publisher.publish_to("text", "2")).await;
        assert!(failed.is_err_and(|error| error.is_connection()));
        ticks.tick().await;
    }
    server.start_again().await;
    within("a publish", publisher.publish_to("text", "3"))
        .await
        .unwrap();
}

pub(crate) async fn publishes_share_one_attempt_to_connect_at_a_time() {
    let (attempts, at_once) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, running) = (Arc::clone(&attempts), Arc::clone(&at_once));
    // Nothing listens there.
    let nowhere = redis_push::testing::Broker::start().await.unwrap();
    within("the broker's stop", nowhere.stop()).await;
    let endpoint = Endpoint::new(nowhere.url()).credentials(move || {
        let (counted, running) = (Arc::clone(&counted), Arc::clone(&running));
        async move {
            counted.fetch_add(1, SeqCst);
            assert_eq!(running.fetch_add(1, SeqCst), 0, "one attempt at a time");
            tokio::task::yield_now().await;
            running.fetch_sub(1, SeqCst);
            Ok::<_, std::io::Error>(Credentials::of_default_user("pw"))
        }
    });
    let publisher = Publisher::new(endpoint).unwrap();
    let publishes = (0..100).map(|_| tokio::spawn(publisher.publish_to("text", "1")));
    for publish in publishes.collect::<Vec<_>>() {
        let error = within("an error", publish).await.unwrap().unwrap_err();
        assert!(error.is_connection(), "{error}");
        assert!(!error.to_string().contains("credentials"), "{error}");
    }
    let attempts = attempts.load(SeqCst);
    // A publish that comes late begins another one.
    assert!((1..=10).contains(&attempts), "{attempts} attempts");
}

/// A server whose first connection answers one of two publishes that it receives together, and
/// nothing afterwards. The other connections answer everything.
async fn half_silent_server() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (mut client, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut read = Vec::new();
                let mut publishes = 0;
                while client
                    .read_buf(&mut read)
                    .await
                    .is_ok_and(|bytes| bytes > 0)
                {
                    let text = String::from_utf8_lossy(&read);
                    let answers = [("HELLO", "%1\r\n+proto\r\n:3\r\n"), ("SETINFO", "+OK\r\n")];
                    let mut answer = String::new();
                    for (command, one) in answers {
                        answer += &one.repeat(text.matches(command).count());
                    }
                    let before = publishes;
                    publishes += text.matches("PUBLISH").count();
                    let answered = |publishes: usize| match publishes {
                        _ if number > 0 => publishes,
                        // The second one is answered when the third one has arrived.
                        0..=2 => publishes.min(1),
                        _ => 2,
                    };
                    answer += &":1\r\n".repeat(answered(publishes) - answered(before));
                    read.clear();
                    client.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    addr
}

pub(crate) async fn a_command_without_an_answer_is_noticed_behind_an_answered_one() {
    let addr = half_silent_server().await;
    let publisher = Publisher::new(format!("redis://{addr}/"))
        .unwrap()
        .timeout(Duration::from_millis(1_500));
    let publish = || within("a publish", publisher.publish_to("text", "1"));
    publish().await.unwrap();
    let (answered, silent) = tokio::join!(publish(), publish());
    answered.unwrap();
    assert!(silent.unwrap_err().is_timeout());
    // On another connection.
    publish().await.unwrap();
}

/// A connection that answers every command with the same value.
#[derive(Clone)]
struct Answers(Vec<Value>);

impl ConnectionLike for Answers {
    fn req_packed_command<'a>(&'a mut self, _: &'a Cmd) -> RedisFuture<'a, Value> {
        let answer = self.0.first().cloned().unwrap_or(Value::Nil);
        Box::pin(async move { Ok(answer) })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        _: &'a Pipeline,
        _: usize,
        _: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let answers = self.0.clone();
        Box::pin(async move { Ok(answers) })
    }

    fn get_db(&self) -> i64 {
        0
    }
}

pub(crate) async fn an_answer_that_is_no_number_is_not_known_to_be_published() {
    for answers in [vec![Value::Okay], vec![Value::Nil], vec![]] {
        let publisher = Publisher::over(Answers(answers));
        let error = publisher.publish_to("text", "1").await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("not known to be published"), "{text}");
        assert!(error.is_connection(), "{text}");
    }
}
