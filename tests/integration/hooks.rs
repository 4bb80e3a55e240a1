//! What runs when a subscriber is ready for the first time, and when it has stopped.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis_push::{Gap, Publisher, State, gap_handler, handlers, push_handler};
use tests::{Server, eventually, within};

use crate::support::subscriber;

/// What has happened, in order.
#[derive(Default)]
struct Steps(Mutex<Vec<String>>);

impl Steps {
    fn add(&self, step: impl Into<String>) {
        self.0.lock().unwrap().push(step.into());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

async fn panics() {
    panic!("asked to panic");
}

#[push_handler(channel = "a", on_gap = on_gap)]
async fn on_message(text: &str, State(steps): State<Arc<Steps>>) {
    tokio::time::sleep(Duration::from_millis(20)).await;
    steps.add(text);
}

#[gap_handler]
async fn on_gap(gap: Gap, State(steps): State<Arc<Steps>>) {
    tokio::time::sleep(Duration::from_millis(20)).await;
    steps.add(format!("{:?}", gap.cause));
}

pub(crate) async fn hooks_run_when_all_is_ready_and_when_the_handlers_have_finished(
    server: Server,
) {
    let steps = Arc::new(Steps::default());
    let publisher = Publisher::new(server.url()).unwrap();
    let at_the_end = publisher.clone();
    let starting = subscriber(server.url())
        .state(Arc::clone(&steps))
        .on_ready(|handle, steps| async move {
            assert!(handle.is_ready());
            steps.add("ready");
            publisher.publish_to("a", "first").await.map(|_| ())
        })
        .on_ready(|_, steps| async move { steps.add("ready again") })
        .on_stop(|steps, left| async move {
            assert!(left > Duration::from_secs(1), "{left:?}");
            let published = at_the_end.publish_to("b", "bye").await;
            steps.add("stopped");
            published.map(|_| ())
        })
        .handlers(handlers![on_message])
        .start();
    let handle = within("the start", starting).await.unwrap();
    assert_eq!(steps.all()[..2], ["Initial", "ready"]);
    assert!(steps.all().contains(&"ready again".to_owned()));
    let first = async || handle.stats().handlers[0].handled == 1;
    eventually("the first message", first).await;
    for _ in 0..3 {
        server.publish("a", "late").await;
    }
    let all = async || handle.stats().handlers[0].received == 4;
    eventually("the messages", all).await;
    let report = within("the end", handle.shutdown(Duration::from_secs(20))).await;
    assert_eq!(report.stats.handlers[0].handled, 4);
    assert_eq!(steps.all()[steps.all().len() - 2..], ["late", "stopped"]);
    // Once, however often the end is asked for.
    within("the end", handle.shutdown(Duration::from_secs(20))).await;
    assert_eq!(
        steps.all().iter().filter(|step| *step == "stopped").count(),
        1
    );
}

pub(crate) async fn an_error_or_a_panic_of_on_ready_is_that_of_the_start(server: Server) {
    let starting = subscriber(server.url())
        .on_ready(|_, _| async { Err::<(), _>("the database is empty") })
        .start();
    let error = within("the start", starting).await.unwrap_err();
    assert!(error.is_hook(), "{error}");
    assert!(
        error.to_string().contains("the database is empty"),
        "{error}"
    );
    let starting = subscriber(server.url()).on_ready(|_, _| panics()).start();
    let error = within("the start", starting).await.unwrap_err();
    assert!(
        error.is_hook()
            && error
                .to_string()
                .starts_with("`on_ready` failed: it panicked"),
        "{error}"
    );
    let starting = subscriber(server.url())
        .start_deadline(Duration::from_millis(300))
        .on_ready(|_, _| std::future::pending::<()>())
        .start();
    let error = within("the start", starting).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("`on_ready` has not returned"), "{text}");
    let late = subscriber(server.url()).on_ready(|_, _| async {}).state(1);
    let error = within("the start", late.start()).await.unwrap_err();
    assert!(error.is_config(), "{error}");
}

pub(crate) async fn on_ready_runs_after_a_spawn_as_soon_as_the_server_is_there(server: Server) {
    server.stop().await;
    let steps = Arc::new(Steps::default());
    let spawned = subscriber(server.url())
        .state(Arc::clone(&steps))
        .on_ready(|_, steps| async move { steps.add("ready") })
        .handlers(handlers![on_message])
        .spawn();
    let handle = spawned.unwrap();
    assert!(steps.all().is_empty());
    server.start_again().await;
    let is_ready = async || steps.all().last().is_some_and(|step| step == "ready");
    eventually("the hook", is_ready).await;
    server.kill_connections().await;
    let again = async || steps.all().contains(&"ConnectionLost".to_owned());
    eventually("the next connection", again).await;
    assert_eq!(
        steps.all().iter().filter(|step| *step == "ready").count(),
        1
    );
    drop(handle);
    // An error of it ends the subscriber.
    let spawned = subscriber(server.url())
        .on_ready(|_, _| async { Err::<(), _>("no") })
        .spawn();
    let handle = spawned.unwrap();
    within("the end", handle.stopped()).await;
}

pub(crate) async fn an_on_stop_that_does_not_return_does_not_hold_up_the_shutdown(server: Server) {
    let steps = Arc::new(Steps::default());
    let starting = subscriber(server.url())
        .state(Arc::clone(&steps))
        .on_stop(|_, _| panics())
        .on_stop(|steps, _| async move {
            steps.add("begun");
            std::future::pending::<()>().await;
        })
        .start();
    let handle = within("the start", starting).await.unwrap();
    within("the end", handle.shutdown(Duration::from_millis(500))).await;
    assert_eq!(steps.all(), ["begun"]);
    // What is captured goes with a subscriber that is dropped.
    let held = Arc::new(());
    let (ready, stop) = (Arc::clone(&held), Arc::clone(&held));
    let starting = subscriber(server.url())
        .on_ready(move |_, _| async move { drop(ready) })
        .on_stop(move |_, _| async move { drop(stop) })
        .start();
    let handle = within("the start", starting).await.unwrap();
    assert_eq!(Arc::strong_count(&held), 2);
    drop(handle);
    assert_eq!(Arc::strong_count(&held), 1);
}
