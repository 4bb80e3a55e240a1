//! When handlers are synced: what they keep is right again after a loss.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use redis_push::{
    Failure, FailureKind, Fault, Gap, GapCause, Handle, Handler, HealthReason, Mount, NotSynced,
    Push, Spec, Subscription,
};
use tests::{Server, eventually, within};
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::watch;

use crate::gated::{gap_gated, gated};
use crate::support::{recorder_of, start, subscriber};

fn spec() -> Spec {
    Spec::new("keeper")
        .on(Subscription::channel("a"))
        .on_gap("reload")
}

/// Waits until the only reason not to be ready is that a handler is not synced, and returns it.
async fn only_not_synced(handle: &Handle) -> NotSynced {
    let mut found = None;
    eventually("the handler not to be synced", async || {
        if let [HealthReason::NotSynced(reason)] = &handle.health().not_ready[..] {
            found = Some(reason.clone());
        }
        found.is_some()
    })
    .await;
    assert!(!handle.is_ready());
    found.unwrap()
}

/// Publishes a message to a handler that does not return from it.
async fn hold_a_delivery(handle: &Handle, server: &Server) {
    server.publish("a", "1").await;
    eventually("the delivery", async || {
        handle.stats().handlers[0].running == 1
    })
    .await;
}

pub(crate) async fn a_subscriber_is_ready_when_each_gap_is_handled(server: Server) {
    let (mount, mut journal, gate) = gap_gated(spec());
    let handle = start(server.url(), [mount]).await;
    let reason = only_not_synced(&handle).await;
    assert_eq!(reason.handler, "keeper");
    assert!(!reason.only_lagged && !reason.required);
    assert_eq!(reason.error, None);
    gate.send_replace(true);
    within("readiness", handle.ready()).await;
    assert!(handle.health().not_synced.is_empty());
    journal.begins().await;
    for _ in 0..3 {
        gate.send_replace(false);
        server.kill_connections().await;
        only_not_synced(&handle).await;
        gate.send_replace(true);
        within("readiness", handle.ready()).await;
        journal.lost_connection().await;
    }
}

pub(crate) async fn a_gap_behind_messages_that_wait_is_not_handled(server: Server) {
    let (gate, gated_by) = watch::channel(false);
    let (mount, mut journal) = gated(spec(), gated_by);
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    within("readiness", handle.ready()).await;
    hold_a_delivery(&handle, &server).await;
    assert!(handle.is_ready(), "{}", handle.health());
    server.kill_connections().await;
    only_not_synced(&handle).await;
    gate.send_replace(true);
    within("readiness", handle.ready()).await;
    journal.message("a", "1").await;
    journal.lost_connection().await;
}

/// Its gap handler fails or panics until the test lets it succeed.
struct Failing {
    may_succeed: Arc<AtomicBool>,
}

impl Handler<()> for Failing {
    fn spec(&self) -> Spec {
        spec()
    }

    async fn handle(&self, _push: Push<'_>, _state: &()) -> Result<(), Fault> {
        Ok(())
    }

    async fn handle_gap(&self, gap: &Gap, _state: &()) -> Result<(), Fault> {
        match gap.cause {
            GapCause::Initial => Ok(()),
            _ if self.may_succeed.load(SeqCst) => Ok(()),
            _ => Err(Fault::Failed("the database is away".into())),
        }
    }
}

pub(crate) async fn a_gap_handler_that_fails_is_reported_at_once(server: Server) {
    let may_succeed = Arc::new(AtomicBool::new(false));
    let (told, mut failures) = unbounded_channel();
    let starting = subscriber(server.url())
        .on_failure(move |failure: Failure| {
            let _ = told.send(failure);
            async {}
        })
        .handlers([Mount::new(Failing {
            may_succeed: Arc::clone(&may_succeed),
        })])
        .start();
    let handle = within("the start", starting).await.unwrap();
    within("readiness", handle.ready()).await;
    server.kill_connections().await;
    let failure = within("the failure", failures.recv()).await.unwrap();
    assert_eq!(failure.kind(), FailureKind::GapNotHandled);
    assert_eq!(failure.handler(), "keeper");
    assert_eq!(failure.reason(), "the database is away");
    assert_eq!(failure.gap().unwrap().cause, GapCause::ConnectionLost);
    assert!(failure.payload().is_empty());
    let reason = only_not_synced(&handle).await;
    assert_eq!(reason.error.as_deref(), Some("the database is away"));
    may_succeed.store(true, SeqCst);
    within("readiness", handle.ready()).await;
}

pub(crate) async fn a_lag_affects_readiness_only_if_the_handler_is_required(server: Server) {
    let (gate, gated_by) = watch::channel(false);
    for is_required in [false, true] {
        let spec = match is_required {
            true => spec().buffer(10).required(),
            false => spec().buffer(10),
        };
        let (mount, mut journal) = gated(spec, gated_by.clone());
        let handle = start(server.url(), [mount]).await;
        journal.begins().await;
        within("readiness", handle.ready()).await;
        hold_a_delivery(&handle, &server).await;
        for _ in 0..100 {
            server.publish("a", "1").await;
        }
        eventually("the lag", async || !handle.health().not_synced.is_empty()).await;
        let lag = handle.health().not_synced.remove(0);
        assert_eq!((lag.only_lagged, lag.required), (true, is_required));
        assert_eq!(handle.is_ready(), !is_required, "{}", handle.health());
        gate.send_replace(true);
        within("readiness", handle.ready()).await;
        eventually("the gap", async || handle.health().not_synced.is_empty()).await;
        gate.send_replace(false);
    }
}

pub(crate) async fn a_paused_required_handler_that_loses_messages_is_not_ready(server: Server) {
    let spec = Spec::new("vital").on(Subscription::channel("a"));
    let (mount, mut journal) = recorder_of(spec.buffer(10).required());
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    within("readiness", handle.ready()).await;
    handle.pause("vital").unwrap();
    server.publish("a", "1").await;
    eventually("the message", async || {
        handle.stats().handlers[0].received == 1
    })
    .await;
    assert!(handle.is_ready(), "nothing is lost: {}", handle.health());
    for _ in 0..100 {
        server.publish("a", "1").await;
    }
    let reason = only_not_synced(&handle).await;
    assert!(reason.only_lagged && reason.required);
    handle.resume("vital").unwrap();
    within("readiness", handle.ready()).await;
}

pub(crate) async fn a_reconnect_does_not_hide_the_lag_of_a_required_handler(server: Server) {
    let spec = Spec::new("vital").on(Subscription::channel("a"));
    let (mount, mut journal) = recorder_of(spec.buffer(10).required());
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    within("readiness", handle.ready()).await;
    handle.pause("vital").unwrap();
    server.kill_connections().await;
    eventually("the reconnect", async || handle.stats().feed.reconnects > 0).await;
    within("readiness", handle.ready()).await;
    for _ in 0..100 {
        server.publish("a", "1").await;
    }
    assert!(only_not_synced(&handle).await.only_lagged);
    handle.resume("vital").unwrap();
    within("readiness", handle.ready()).await;
}
