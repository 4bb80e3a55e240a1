//! Handlers that are mounted and unmounted while the subscriber runs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis_push::{Fault, WeakHandle};
use redis_push::{
    GapCause, Handle, Handler, Missed, Mount, MountGuard, Push, Router, Spec, State, Subscription,
    handlers, push_handler,
};
use tests::{Server, eventually, within};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use crate::gated::gated;
use crate::support::{recorder, start, subscriber};

async fn mount(handle: &Handle, mount: Mount<()>) -> MountGuard {
    within("the mount", handle.mount([mount])).await.unwrap()
}

pub(crate) async fn a_handler_is_mounted_and_unmounted_while_the_subscriber_runs(server: Server) {
    let linger = Duration::from_millis(1);
    let handle = within("the start", subscriber(server.url()).linger(linger).start())
        .await
        .unwrap();
    for round in 1..=3_u64 {
        let (recording, mut journal) = recorder("late", Subscription::channel("a"));
        let guard = mount(&handle, recording).await;
        journal.begins().await;
        for number in 0..10 {
            server.publish("a", &number.to_string()).await;
            journal.message("a", &number.to_string()).await;
        }
        assert!(handle.wiring().to_string().contains("channel `a`"));
        eventually("the count", async || {
            handle.stats().handlers[0].handled == 10
        })
        .await;
        server.publish("a", "last").await;
        // What has arrived is delivered.
        eventually("the message", async || {
            handle.stats().handlers[0].received == 11
        })
        .await;
        let stats = within("the end", guard.unmount()).await;
        journal.message("a", "last").await;
        journal.ends().await;
        assert_eq!((stats.len(), stats[0].handled), (1, 11));
        assert_eq!(stats[0].received, stats[0].accounted());
        server.wait_for_subscribers_of("a", 0).await;
        let stats = handle.stats();
        assert!(stats.handlers.is_empty() && handle.wiring().handlers.is_empty());
        assert_eq!(stats.unmounted[0].handler, "late");
        assert_eq!(stats.unmounted[0].handled, 11 * round);
        assert_eq!(stats.unmounted[0].accounted(), 11 * round);
    }
}

pub(crate) async fn a_handler_that_is_mounted_later_hears_only_what_follows(server: Server) {
    let (gate, gated_by) = watch::channel(false);
    let (first, mut first_journal) =
        gated(Spec::new("first").on(Subscription::channel("a")), gated_by);
    let handle = start(server.url(), [first]).await;
    first_journal.begins().await;
    for number in 0..5 {
        server.publish("a", &number.to_string()).await;
    }
    eventually("the messages", async || {
        handle.stats().handlers[0].received == 5
    })
    .await;
    let (second, mut second_journal) = recorder("second", Subscription::channel("a"));
    let guard = mount(&handle, second).await;
    assert_eq!(server.publish("a", "5").await, 1, "one subscription");
    second_journal.begins().await;
    second_journal.message("a", "5").await;
    server.kill_connections().await;
    second_journal.lost_connection().await;
    within("the end", guard.unmount()).await;
    second_journal.ends().await;
    gate.send_replace(true);
    for number in 0..6 {
        first_journal.message("a", &number.to_string()).await;
    }
    first_journal.lost_connection().await;
    server.wait_for_subscribers_of("a", 1).await;
    server.publish("a", "6").await;
    first_journal.message("a", "6").await;
}

pub(crate) async fn a_mount_that_is_denied_mounts_nothing(server: Server) {
    let (kept, mut journal) = recorder("kept", Subscription::channel("a"));
    server.deny("secret").await;
    let handle = start(server.url(), [kept]).await;
    journal.begins().await;
    for _ in 0..2 {
        let (good, _) = recorder("good", Subscription::channel("b"));
        let (denied, _) = recorder("denied", Subscription::channel("secret"));
        let mounting = handle.mount([good, denied]);
        let error = within("the error", mounting).await.unwrap_err();
        assert!(error.is_denied(), "{error}");
        assert!(
            error.to_string().contains("channel `secret`, for `denied`"),
            "{error}"
        );
        assert_eq!(handle.wiring().handlers.len(), 1);
    }
    eventually("readiness", async || handle.is_ready()).await;
    server.allow("secret").await;
    let (allowed, mut allowed_journal) = recorder("allowed", Subscription::channel("secret"));
    let _guard = mount(&handle, allowed).await;
    allowed_journal.begins().await;
    server.publish("a", "1").await;
    journal.message("a", "1").await;
}

pub(crate) async fn a_mount_that_does_not_fit_the_others_is_refused(server: Server) {
    let (first, mut journal) = recorder("same", Subscription::channel("a"));
    let handle = start(server.url(), [first]).await;
    journal.begins().await;
    let nothing = Mount::new(Nothing);
    let error = within("the error", handle.mount([nothing]))
        .await
        .unwrap_err();
    assert!(
        error.is_config() && error.to_string().contains("listens to nothing"),
        "{error}"
    );
    within("the end", handle.shutdown(Duration::from_secs(5))).await;
    let (late, _) = recorder("late", Subscription::channel("b"));
    let error = within("the error", handle.mount([late])).await.unwrap_err();
    assert!(
        error.is_config() && error.to_string().contains("shutting down"),
        "{error}"
    );
    assert!(
        handle
            .wiring()
            .handlers
            .iter()
            .all(|handler| handler.handler != "late")
    );
}

struct Nothing;

impl Handler<()> for Nothing {
    fn spec(&self) -> Spec {
        Spec::new("nothing")
    }

    async fn handle(&self, _push: Push<'_>, _state: &()) -> Result<(), Fault> {
        Ok(())
    }
}

pub(crate) async fn dropping_the_guard_of_a_mount_ends_its_handlers_at_once(server: Server) {
    let linger = Duration::from_millis(1);
    let handle = within("the start", subscriber(server.url()).linger(linger).start())
        .await
        .unwrap();
    let (_gate, gated_by) = watch::channel(false);
    let (stuck, mut journal) = gated(Spec::new("stuck").on(Subscription::channel("a")), gated_by);
    let guard = mount(&handle, stuck).await;
    journal.begins().await;
    for number in 0..5 {
        server.publish("a", &number.to_string()).await;
    }
    eventually("the messages", async || {
        handle.stats().handlers[0].received == 5
    })
    .await;
    eventually("a delivery", async || {
        handle.stats().handlers[0].running == 1
    })
    .await;
    drop(guard);
    journal.ends().await;
    server.wait_for_subscribers_of("a", 0).await;
    // The delivery that was under way is counted when its task has ended.
    eventually("every message to be accounted for", async || {
        let stats = handle.stats();
        stats.unmounted.iter().any(|counts| counts.cancelled == 5)
    })
    .await;
    let stats = handle.stats();
    assert!(stats.handlers.is_empty());
    let [stuck] = &stats.unmounted[..] else {
        panic!("one handler was unmounted: {stats}");
    };
    assert_eq!((stuck.received, stuck.cancelled), (5, 5), "{stats}");
    assert!(stats.to_string().contains("stuck (unmounted)"), "{stats}");
}

pub(crate) async fn handlers_with_a_state_are_mounted_as_a_router(server: Server) {
    #[push_handler(channel = "a")]
    async fn on_a(text: &str, State(heard): State<UnboundedSender<String>>) {
        let _ = heard.send(text.to_owned());
    }

    let handle = within("the start", subscriber(server.url()).start())
        .await
        .unwrap();
    let (sender, mut heard) = unbounded_channel();
    let router = Router::new().handlers(handlers![on_a]).prefix("eu:");
    let guard = within("the mount", handle.mount(router.with_state(sender)))
        .await
        .unwrap();
    server.publish("eu:a", "hello").await;
    assert_eq!(
        within("the message", heard.recv()).await.as_deref(),
        Some("hello")
    );
    within("the end", guard.unmount()).await;
    assert_eq!(
        within("the end", heard.recv()).await,
        None,
        "the state is dropped"
    );
}

pub(crate) async fn a_handler_may_unmount_itself(server: Server) {
    type Own = Arc<Mutex<Option<MountGuard>>>;

    #[push_handler(channel = "a")]
    async fn on_a(text: &str, State(own): State<Own>) {
        if text == "enough" {
            let guard = own.lock().unwrap().take();
            if let Some(guard) = guard {
                guard.unmount().await;
            }
        }
    }

    let handle = within("the start", subscriber(server.url()).start())
        .await
        .unwrap();
    let own = Own::default();
    let router = Router::new()
        .handlers(handlers![on_a])
        .with_state(Arc::clone(&own));
    let guard = within("the mount", handle.mount(router)).await.unwrap();
    *own.lock().unwrap() = Some(guard);
    server.publish("a", "more").await;
    server.publish("a", "enough").await;
    eventually("the end", async || handle.stats().handlers.is_empty()).await;
    eventually("the count", async || {
        handle.stats().unmounted.iter().any(|one| one.received == 2)
    })
    .await;
}

pub(crate) async fn a_mount_does_not_keep_the_subscriber_alive(server: Server) {
    let handle = within("the start", subscriber(server.url()).start())
        .await
        .unwrap();
    let (recording, mut journal) = recorder("late", Subscription::channel("a"));
    let guard = mount(&handle, recording).await;
    journal.begins().await;
    let weak: WeakHandle = handle.downgrade();
    drop(handle);
    journal.ends().await;
    assert!(weak.upgrade().is_none());
    within("the end", guard.unmount()).await;
    server.wait_for_subscribers_of("a", 0).await;
}

pub(crate) async fn a_shutdown_drains_handlers_that_were_mounted_later(server: Server) {
    let handle = within("the start", subscriber(server.url()).start())
        .await
        .unwrap();
    let (recording, mut journal) = recorder("late", Subscription::channel("a"));
    let _guard = mount(&handle, recording).await;
    journal.begins().await;
    for number in 0..100 {
        server.publish("a", &number.to_string()).await;
    }
    let report = within("the end", handle.shutdown(Duration::from_secs(5))).await;
    for number in 0..100 {
        journal.message("a", &number.to_string()).await;
    }
    journal.ends().await;
    assert_eq!(report.stats.handlers[0].handled, 100);
}

pub(crate) async fn a_gap_handler_of_a_late_mount_keeps_the_subscriber_from_being_ready(
    server: Server,
) {
    let handle = within("the start", subscriber(server.url()).start())
        .await
        .unwrap();
    assert!(handle.is_ready());
    let spec = Spec::new("keeper")
        .on(Subscription::channel("a"))
        .on_gap("reload");
    let (keeper, mut journal, gate) = crate::gated::gap_gated(spec);
    let guard = mount(&handle, keeper).await;
    eventually("the gap", async || !handle.is_ready()).await;
    gate.send_replace(true);
    within("readiness", handle.ready()).await;
    let gap = journal.gap().await;
    assert_eq!(
        (gap.cause, gap.missed),
        (GapCause::Initial, Missed::Exactly(0))
    );
    drop(guard);
    assert!(handle.is_ready());
}
