//! What becomes of a subscriber whose `on_ready` cannot run, or fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use super::support::{Server, gap_gated, within};
use crate::Subscription;

#[tokio::test]
async fn the_error_of_an_on_ready_that_fails_after_a_spawn_is_kept_for_whoever_runs() {
    let server = Server::over_the_wire_link().await;
    let spawned = server
        .subscriber()
        .on_ready(|_, _| async { Err::<(), _>("the database is empty") })
        .spawn();
    let handle = spawned.unwrap();
    assert!(handle.running.hooks.failed().is_none());
    within("the end", handle.stopped()).await;
    let error = handle.running.hooks.failed().unwrap();
    assert!(error.is_hook(), "{error}");
    assert_eq!(
        error.to_string(),
        "`on_ready` failed: the database is empty"
    );
}

#[tokio::test]
async fn a_start_that_is_not_ready_in_time_does_not_blame_on_ready() {
    let server = Server::over_the_wire_link().await;
    let (mount, _journal, _closed) = gap_gated("a", Subscription::channel("a"));
    let has_run = Arc::new(AtomicBool::new(false));
    let runs = Arc::clone(&has_run);
    let starting = server
        .subscriber()
        .handlers([mount])
        .start_deadline(Duration::from_millis(300))
        .on_ready(move |_, _| async move { runs.store(true, SeqCst) })
        .start();
    let error = within("the start", starting).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let text = error.to_string();
    assert!(
        text.starts_with(
            "the subscriber is not ready for `on_ready` within 300ms (live, not ready"
        ),
        "{text}"
    );
    assert!(!has_run.load(SeqCst));
}
