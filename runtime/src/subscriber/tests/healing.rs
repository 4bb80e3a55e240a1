//! The subscriber's internal tasks, each of which panics and is restarted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use super::support::{
    Journal, Seen, Server, assert_accounted, eventually, gap_gated, handler_loop, message_gated,
    panic_and_restart, recorder, start, with_short_delays, within,
};
use crate::tasks::TaskName;
use crate::{Failure, GapCause, Handle, Missed, Mount, Subscriber, Subscription};

const LONG: Duration = Duration::from_secs(10);

/// Makes a test for each link that owns its connections.
macro_rules! over_both_links {
    ($($test:ident),+ $(,)?) => {
        mod over_the_default_link {
            use super::Server;

            $(#[tokio::test]
            async fn $test() {
                super::$test(Server::over_the_default_link().await).await;
            })+
        }

        mod over_the_wire_link {
            use super::Server;

            $(#[tokio::test]
            async fn $test() {
                super::$test(Server::over_the_wire_link().await).await;
            })+
        }
    };
}

over_both_links![
    a_session_that_panics_is_restarted_and_every_handler_gets_a_gap,
    a_session_that_panics_during_a_shutdown_is_restarted_to_end_it,
    a_session_that_panics_tracks_again_and_publishes_the_end_of_its_connection,
    a_wakeups_task_or_watchdog_that_panics_is_restarted_and_disturbs_no_delivery,
    an_idle_handler_whose_loop_panics_misses_nothing,
    a_handler_whose_loop_panics_gets_a_gap_of_exactly_what_it_missed,
    a_gap_in_hand_when_the_loop_panics_is_reported_again,
    a_requested_resync_that_runs_when_the_loop_panics_is_served_again,
    a_failure_in_hand_when_the_hooks_task_panics_is_counted_as_dropped,
];

async fn started(server: &Server) -> (Handle, Journal) {
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let handle = server.start([mount]).await;
    journal.begins().await;
    (handle, journal)
}

/// A subscriber attached to a manager that a service already has.
async fn attached(server: &Server, mount: Mount<()>) -> Handle {
    let (manager, sender) = server.manager().await;
    let subscriber = with_short_delays(Subscriber::attach(manager, sender.subscribe()));
    start(subscriber.handlers([mount])).await
}

async fn a_session_that_panics_is_restarted_and_every_handler_gets_a_gap(server: Server) {
    let (first, mut first_journal) = recorder("first", Subscription::channel("a"));
    let (second, mut second_journal) = recorder("second", Subscription::pattern("b*"));
    let handle = server.start([first, second]).await;
    first_journal.begins().await;
    second_journal.begins().await;
    for round in 1..=3 {
        panic_and_restart(&handle, TaskName::Session).await;
        first_journal.lost_connection().await;
        second_journal.lost_connection().await;
        within("ready again", handle.ready()).await;
        server.publish("a", "again");
        server.publish("b", "again");
        first_journal.message("a", "again").await;
        second_journal.message("b", "again").await;
        let stats = handle.stats();
        assert_eq!((stats.restarts, stats.feed.reconnects), (round, round));
    }
    assert!(handle.health().is_live());
    let report = handle.shutdown(LONG).await;
    report.stats.handlers.iter().for_each(assert_accounted);
}

async fn a_session_that_panics_during_a_shutdown_is_restarted_to_end_it(server: Server) {
    let (mount, mut journal, gate) = message_gated("a", Subscription::channel("a"));
    let handle = server.start([mount]).await;
    journal.begins().await;
    for number in 0..10 {
        server.publish("a", number.to_string());
    }
    eventually("every message to have arrived", || {
        handle.stats().handlers[0].received == 10
    })
    .await;
    let mut health = handle.watch_health();
    let (report, ()) = within("the shutdown", async {
        tokio::join!(handle.shutdown(LONG), async {
            health.changed().await;
            handle.running.tasks.panic_in(&TaskName::Session);
            gate.send_replace(true);
        })
    })
    .await;
    assert_eq!(report.stats.restarts, 1);
    assert_eq!(report.stats.handlers[0].handled, 10);
    assert_accounted(&report.stats.handlers[0]);
}

async fn a_session_that_panics_tracks_again_and_publishes_the_end_of_its_connection(
    server: Server,
) {
    let (users, mut journal) = recorder("users", Subscription::invalidation("user:"));
    let (events, mut events_journal) = recorder("events", Subscription::connection());
    let handle = server.start([users, events]).await;
    journal.begins().await;
    events_journal.begins().await;
    events_journal.message("", "connected").await;
    for _ in 0..3 {
        panic_and_restart(&handle, TaskName::Session).await;
        journal.lost_connection().await;
        let Seen::Message(_, end) = events_journal.next().await else {
            panic!("the connection's events have no gaps");
        };
        assert!(end.starts_with("disconnected: "), "{end}");
        events_journal.message("", "connected").await;
        server.set("user:1").await;
        journal.message("user:1", "").await;
    }
}

async fn a_wakeups_task_or_watchdog_that_panics_is_restarted_and_disturbs_no_delivery(
    server: Server,
) {
    let (handle, mut journal) = started(&server).await;
    for task in [TaskName::Wakeups, TaskName::Watchdog] {
        for _ in 0..2 {
            panic_and_restart(&handle, task.clone()).await;
            server.publish("a", "again");
            journal.message("a", "again").await;
            assert_eq!(handle.health().to_string(), "live, ready", "{task}");
        }
    }
    assert_eq!(handle.stats().gaps(), 0);
    assert_accounted(&handle.shutdown(LONG).await.stats.handlers[0]);
}

async fn an_idle_handler_whose_loop_panics_misses_nothing(server: Server) {
    let (handle, mut journal) = started(&server).await;
    for round in 0..5 {
        panic_and_restart(&handle, handler_loop("a")).await;
        server.publish("a", round.to_string());
        journal.message("a", &round.to_string()).await;
    }
    let report = handle.shutdown(LONG).await;
    let counts = &report.stats.handlers[0];
    assert_eq!((counts.handled, counts.gaps, counts.dropped), (5, 0, 0));
    assert_accounted(counts);
}

async fn a_handler_whose_loop_panics_gets_a_gap_of_exactly_what_it_missed(server: Server) {
    const MESSAGES: u64 = 20;
    let (busy, mut journal, gate) = message_gated("busy", Subscription::channel("a"));
    let (other, mut other_journal) = recorder("other", Subscription::channel("a"));
    let handle = server.start([busy, other]).await;
    journal.begins().await;
    other_journal.begins().await;
    for number in 0..MESSAGES {
        server.publish("a", number.to_string());
    }
    eventually("a delivery under way, the others behind it", || {
        let stats = handle.stats();
        let counts = &stats.handlers[0];
        counts.running == 1 && counts.received == MESSAGES
    })
    .await;
    panic_and_restart(&handle, handler_loop("busy")).await;
    let gap = journal.gap().await;
    assert_eq!(gap.cause, GapCause::Restarted);
    let Missed::Exactly(missed) = gap.missed else {
        panic!("{gap}");
    };
    gate.send_replace(true);
    server.publish("a", "last");
    for number in missed..MESSAGES {
        journal.message("a", &number.to_string()).await;
    }
    journal.message("a", "last").await;
    let report = handle.shutdown(LONG).await;
    let counts = &report.stats.handlers[0];
    assert_eq!((counts.cancelled, counts.dropped), (1, missed - 1));
    assert_eq!((counts.handled, counts.gaps), (MESSAGES + 1 - missed, 1));
    assert_accounted(counts);
    let other = &report.stats.handlers[1];
    assert_eq!((other.handled, other.gaps), (MESSAGES + 1, 0));
}

async fn a_gap_in_hand_when_the_loop_panics_is_reported_again(server: Server) {
    let (mount, mut journal, gate) = gap_gated("a", Subscription::channel("a"));
    let handle = server.start([mount]).await;
    server.publish("a", "1");
    eventually("the message to wait behind the gap", || {
        handle.stats().handlers[0].received == 1
    })
    .await;
    panic_and_restart(&handle, handler_loop("a")).await;
    panic_and_restart(&handle, handler_loop("a")).await;
    gate.send_replace(true);
    journal.begins().await;
    // The message was received together with the gap, or came after it.
    let missed = match journal.next().await {
        Seen::Gap(gap) => {
            assert_eq!(
                (gap.cause, gap.missed),
                (GapCause::Restarted, Missed::Exactly(1))
            );
            1
        }
        Seen::Message(_, payload) => {
            assert_eq!(payload, "1");
            0
        }
    };
    server.publish("a", "2");
    journal.message("a", "2").await;
    let report = handle.shutdown(LONG).await;
    let counts = &report.stats.handlers[0];
    assert_eq!((counts.dropped, counts.gaps), (missed, missed));
    assert_accounted(counts);
}

async fn a_requested_resync_that_runs_when_the_loop_panics_is_served_again(server: Server) {
    let (mount, mut journal, gate) = gap_gated("a", Subscription::channel("a"));
    let handle = server.start([mount]).await;
    gate.send_replace(true);
    journal.begins().await;
    gate.send_replace(false);
    handle.resync("a").unwrap();
    eventually("the run", || handle.stats().gaps() == 1).await;
    panic_and_restart(&handle, handler_loop("a")).await;
    server.publish("a", "1");
    assert!(!handle.is_ready());
    gate.send_replace(true);
    assert_eq!(journal.gap().await.cause, GapCause::Requested);
    journal.message("a", "1").await;
    within("ready again", handle.ready()).await;
    let report = handle.shutdown(LONG).await;
    assert_eq!((report.stats.gaps(), report.stats.restarts), (2, 1));
    assert_accounted(&report.stats.handlers[0]);
}

async fn a_failure_in_hand_when_the_hooks_task_panics_is_counted_as_dropped(server: Server) {
    let is_called = Arc::new(AtomicBool::new(false));
    let called = Arc::clone(&is_called);
    let (mount, _journal) = recorder("a", Subscription::channel("a"));
    let subscriber = server.subscriber().handlers([mount]);
    let subscriber = subscriber.on_failure(move |_: Failure| {
        let is_first = !called.swap(true, SeqCst);
        async move {
            if is_first {
                std::future::pending::<()>().await;
            }
        }
    });
    let handle = start(subscriber).await;
    for _ in 0..3 {
        server.publish("a", "fail");
    }
    eventually("a failure in hand, the others behind it", || {
        is_called.load(SeqCst) && handle.stats().handlers[0].failed == 3
    })
    .await;
    assert_eq!(handle.stats().failures.queued, 3);
    panic_and_restart(&handle, TaskName::FailureHook).await;
    eventually("the hook to take the others", || {
        handle.stats().failures.told == 2
    })
    .await;
    let failures = handle.stats().failures;
    assert_eq!((failures.dropped, failures.queued), (1, 0));
}

#[tokio::test]
async fn a_forwarding_task_that_panics_is_restarted_without_a_loss() {
    let server = Server::over_the_default_link().await;
    let (mount, mut journal) = recorder("ours", Subscription::channel("ours"));
    let handle = attached(&server, mount).await;
    journal.begins().await;
    for round in 0..5 {
        handle.running.tasks.panic_in(&TaskName::Forwarding);
        for number in 0..10 {
            server.publish("ours", format!("{round}-{number}"));
        }
        for number in 0..10 {
            journal.message("ours", &format!("{round}-{number}")).await;
        }
        eventually("the restart of the task", || {
            handle.stats().restarts == round + 1
        })
        .await;
    }
    let stats = handle.stats();
    assert_eq!((stats.gaps(), stats.feed.reconnects), (0, 0));
}

#[tokio::test]
async fn a_session_over_an_attached_channel_that_panics_subscribes_again() {
    let server = Server::over_the_default_link().await;
    let (mount, mut journal) = recorder("ours", Subscription::channel("ours"));
    let handle = attached(&server, mount).await;
    journal.begins().await;
    panic_and_restart(&handle, TaskName::Session).await;
    journal.lost_connection().await;
    within("ready again", handle.ready()).await;
    server.publish("ours", "again");
    journal.message("ours", "again").await;
}
