//! States that begin and end before the watchdog looks.
//!
//! Each test has one thread and waits for nothing while the state lasts, so no task runs meanwhile.

use super::support::{Journal, Server, gap_gated, within};
use crate::health::HealthChanges;
use crate::{GapCause, Handle, Subscription};

/// A subscriber with one handler, whose gap handler is fast.
async fn ready(server: &Server) -> (Handle, Journal) {
    let (mount, mut journal, gate) = gap_gated("a", Subscription::channel("a"));
    gate.send_replace(true);
    let handle = server.start([mount]).await;
    journal.begins().await;
    within("readiness", handle.ready()).await;
    (handle, journal)
}

async fn until_ready(changes: &mut HealthChanges) {
    within("the end of the state", async {
        while !changes.changed().await.unwrap().is_ready() {}
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_begins_with_a_state_is_told_its_end() {
    let server = Server::over_the_wire_link().await;
    let (handle, mut journal) = ready(&server).await;
    for _ in 0..3 {
        handle.resync("a").unwrap();
        let mut changes = handle.watch_health();
        assert_eq!(journal.gap().await.cause, GapCause::Requested);
        until_ready(&mut changes).await;
    }
}

#[tokio::test]
async fn a_receiver_is_told_the_end_of_a_state_that_somebody_has_seen() {
    let server = Server::over_the_wire_link().await;
    let (handle, mut journal) = ready(&server).await;
    let mut changes = handle.watch_health();
    let sees: [fn(&Handle, &HealthChanges) -> bool; 3] = [
        |handle, _| handle.health().is_ready(),
        |handle, _| handle.is_ready(),
        |_, changes| changes.get().is_ready(),
    ];
    for sees in sees {
        handle.resync("a").unwrap();
        assert!(!sees(&handle, &changes));
        assert_eq!(journal.gap().await.cause, GapCause::Requested);
        until_ready(&mut changes).await;
    }
}
