//! Each of the subscriber's own tasks, ended from inside.

use std::time::Duration;

use redis_push::__private::TaskName;
use redis_push::{Fault, Gap, GapCause, Handle, Handler, HandlerStats, Missed, Mount, Push, Spec};
use redis_push::{HealthReason, Subscription};
use tests::{Server, eventually, within};
use tokio::sync::watch;

use crate::gated::gated;
use crate::logs;
use crate::support::{Journal, Recorder, Seen, new, recorder, start};

const LONG: Duration = Duration::from_secs(10);

/// Kills a task and waits until it has been started again.
pub(crate) async fn kill(handle: &Handle, task: TaskName) {
    let before = handle.stats().restarts;
    assert!(handle.__kill(task), "{task:?} is there");
    eventually("the task to be started again", async || {
        handle.stats().restarts == before + 1
    })
    .await;
}

async fn started(server: &Server, name: &'static str) -> (Handle, Journal) {
    let (mount, mut journal) = recorder(name, Subscription::channel(name));
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    (handle, journal)
}

fn is_whole(counts: &HandlerStats) {
    assert_eq!(counts.received, counts.accounted(), "{counts:?}");
}

pub(crate) async fn a_killed_supervisor_is_started_again_and_every_handler_is_told(server: Server) {
    let (handle, mut journal) = started(&server, "a").await;
    for round in 1..=3 {
        kill(&handle, TaskName::Supervisor).await;
        journal.lost_connection().await;
        within("ready again", handle.ready()).await;
        server.publish("a", "again").await;
        journal.message("a", "again").await;
        assert_eq!(handle.stats().feed.reconnects, round);
    }
    assert_eq!(handle.stats().restarts, 3);
    assert!(handle.health().is_live());
    is_whole(&handle.shutdown(LONG).await.stats.handlers[0]);
}

pub(crate) async fn a_killed_supervisor_ends_no_shutdown(server: Server) {
    let (gate, gated_by) = watch::channel(false);
    let (mount, mut journal) = gated(Spec::new("a").on(Subscription::channel("a")), gated_by);
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    for number in 0..10 {
        server.publish("a", &number.to_string()).await;
    }
    eventually("every message to have arrived", async || {
        handle.stats().handlers[0].received == 10
    })
    .await;
    let mut health = handle.watch_health();
    let (report, ()) = within("the shutdown", async {
        tokio::join!(handle.shutdown(LONG), async {
            health.changed().await;
            handle.__kill(TaskName::Supervisor);
            handle.__kill(TaskName::Keeper);
            gate.send_replace(true);
        })
    })
    .await;
    assert_eq!(report.stats.handlers[0].handled, 10);
    is_whole(&report.stats.handlers[0]);
}

pub(crate) async fn a_killed_waking_task_watchdog_or_keeper_is_started_again(server: Server) {
    let (handle, mut journal) = started(&server, "a").await;
    for task in [TaskName::Waking, TaskName::Watchdog, TaskName::Keeper] {
        kill(&handle, task).await;
        server.publish("a", "again").await;
        journal.message("a", "again").await;
        assert!(handle.is_ready(), "{task:?}: {}", handle.health());
    }
    // What was healed heals.
    kill(&handle, TaskName::Handler(0)).await;
    assert_eq!(handle.stats().restarts, 4);
    assert_eq!(handle.stats().gaps(), 0);
    is_whole(&handle.shutdown(LONG).await.stats.handlers[0]);
}

pub(crate) async fn an_idle_handler_whose_loop_is_killed_misses_nothing(server: Server) {
    let (handle, mut journal) = started(&server, "a").await;
    for round in 0..5 {
        kill(&handle, TaskName::Handler(0)).await;
        server.publish("a", &round.to_string()).await;
        journal.message("a", &round.to_string()).await;
    }
    let report = handle.shutdown(LONG).await;
    let counts = &report.stats.handlers[0];
    assert_eq!((counts.handled, counts.gaps, counts.dropped), (5, 0, 0));
    is_whole(counts);
}

pub(crate) async fn a_handler_whose_loop_is_killed_is_told_exactly_what_it_missed(server: Server) {
    const MESSAGES: u64 = 20;
    logs::keep();
    let (gate, gated_by) = watch::channel(false);
    let name = format!("killed-{}", server.addr().port());
    let spec = Spec::new(name.clone()).on(Subscription::channel("a"));
    let (busy, mut journal) = gated(spec, gated_by);
    let (other, mut other_journal) = recorder("other", Subscription::channel("a"));
    let handle = start(server.url(), [busy, other]).await;
    journal.begins().await;
    other_journal.begins().await;
    for number in 0..MESSAGES {
        server.publish("a", &number.to_string()).await;
    }
    eventually("a delivery under way, the others behind it", async || {
        let stats = handle.stats();
        let counts = &stats.handlers[0];
        counts.running == 1 && counts.received == MESSAGES
    })
    .await;
    kill(&handle, TaskName::Handler(0)).await;
    let gap = journal.gap().await;
    assert_eq!(gap.cause, GapCause::Restarted);
    eventually("a line in the log that calls it by its name", async || {
        logs::restarts_of(&name) == 1
    })
    .await;
    let Missed::Exactly(missed) = gap.missed else {
        panic!("{gap}");
    };
    gate.send_replace(true);
    server.publish("a", "last").await;
    let mut next = missed;
    loop {
        match journal.next().await {
            Seen::Message(_, payload) if payload == "last" => break,
            Seen::Message(_, payload) => assert_eq!(payload, next.to_string()),
            Seen::Gap(gap) => panic!("{gap}"),
        }
        next += 1;
    }
    assert_eq!(next, MESSAGES, "what was not missed was delivered");
    let report = handle.shutdown(LONG).await;
    let counts = &report.stats.handlers[0];
    assert_eq!((counts.cancelled, counts.dropped), (1, missed - 1));
    assert_eq!((counts.handled, counts.gaps), (MESSAGES + 1 - missed, 1));
    is_whole(counts);
    let other = &report.stats.handlers[1];
    assert_eq!((other.handled, other.gaps), (MESSAGES + 1, 0));
}

/// A recorder whose gap handler waits before a gate.
struct GapGated {
    recorder: Recorder,
    gate: watch::Receiver<bool>,
}

impl Handler<()> for GapGated {
    fn spec(&self) -> Spec {
        self.recorder.spec()
    }

    async fn handle(&self, push: Push<'_>, state: &()) -> Result<(), Fault> {
        self.recorder.handle(push, state).await
    }

    async fn handle_gap(&self, gap: &Gap, state: &()) -> Result<(), Fault> {
        let _ = self.gate.clone().wait_for(|open| *open).await;
        self.recorder.handle_gap(gap, state).await
    }
}

pub(crate) fn gap_gated(spec: Spec) -> (Mount<()>, Journal, watch::Sender<bool>) {
    let (recorder, journal) = new(spec);
    let (open, gate) = watch::channel(false);
    (Mount::new(GapGated { recorder, gate }), journal, open)
}

pub(crate) async fn a_gap_that_was_being_told_when_the_loop_was_killed_is_told_again(
    server: Server,
) {
    let (mount, mut journal, gate) = gap_gated(Spec::new("a").on(Subscription::channel("a")));
    let handle = start(server.url(), [mount]).await;
    server.publish("a", "1").await;
    eventually("the message to wait behind the gap", async || {
        handle.stats().handlers[0].received == 1
    })
    .await;
    kill(&handle, TaskName::Handler(0)).await;
    kill(&handle, TaskName::Handler(0)).await;
    gate.send_replace(true);
    journal.begins().await;
    // The message was in hand with the gap, or came behind it.
    let first = journal.next().await;
    let missed = match &first {
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
    server.publish("a", "2").await;
    journal.message("a", "2").await;
    let report = handle.shutdown(LONG).await;
    let counts = &report.stats.handlers[0];
    assert_eq!((counts.dropped, counts.gaps), (missed, missed));
    is_whole(counts);
}

pub(crate) async fn a_connection_whose_reader_dies_is_built_anew(server: Server) {
    let (handle, mut journal) = started(&server, "a").await;
    for round in 1..=3 {
        assert!(handle.__kill(TaskName::Link));
        eventually("the loss to be noticed", async || {
            // Where redis-rs owns the task, what it calls panics with the next push.
            server.publish("a", "lost").await;
            handle.stats().feed.reconnects == round
        })
        .await;
        within("ready again", handle.ready()).await;
        let last = format!("again {round}");
        server.publish("a", &last).await;
        let mut gaps = 0;
        loop {
            match journal.next().await {
                Seen::Gap(gap) => {
                    assert_eq!(gap.cause, GapCause::ConnectionLost);
                    gaps += 1;
                }
                Seen::Message(_, payload) if payload == last => break,
                Seen::Message(..) => {}
            }
        }
        assert_eq!(gaps, 1);
    }
    assert_eq!(handle.stats().gaps(), 3);
    assert!(!handle.health().not_live.iter().any(is_task));
    is_whole(&handle.shutdown(LONG).await.stats.handlers[0]);
}

fn is_task(reason: &HealthReason) -> bool {
    matches!(reason, HealthReason::TaskEnded { .. })
}
