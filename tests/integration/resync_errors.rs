//! The errors with which handlers request a resync.

use std::fmt;

use redis_push::{
    BoxError, Failure, Fault, Gap, GapCause, State, gap_handler, handlers, push_handler,
};
use tests::{Server, within};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::support::subscriber;

/// An error of a program, which leaves itself out of the chain, as `#[error(transparent)]` does.
#[derive(Debug)]
struct Transparent(Fault);

impl fmt::Display for Transparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Transparent {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

type Causes = UnboundedSender<GapCause>;

#[gap_handler]
async fn reload(gap: Gap, State(causes): State<Causes>) {
    let _ = causes.send(gap.cause);
}

fn check(change: &str) -> Result<(), Fault> {
    Err(Fault::resync(format!("{change} is missing")))
}

#[push_handler(channel = "boxed", on_gap = reload)]
async fn on_boxed(change: &str) -> Result<(), BoxError> {
    Ok(check(change)?)
}

#[push_handler(channel = "plain", on_gap = reload)]
async fn on_plain(change: &str) -> Result<(), Fault> {
    check(change)
}

#[push_handler(channel = "anyhow", on_gap = reload)]
async fn on_anyhow(change: &str) -> anyhow::Result<()> {
    Ok(check(change)?)
}

#[push_handler(channel = "context", on_gap = reload)]
async fn on_context(change: &str) -> anyhow::Result<()> {
    use anyhow::Context as _;
    let checked = check(change).context("while it was applied");
    checked.with_context(|| format!("the change {change}"))
}

#[push_handler(channel = "transparent", on_gap = reload)]
async fn on_transparent(change: &str) -> anyhow::Result<()> {
    Ok(check(change).map_err(Transparent)?)
}

#[push_handler(channel = "other", on_gap = reload)]
async fn on_other(change: &str) -> anyhow::Result<()> {
    anyhow::bail!("{change} is wrong in another way: resync requested")
}

async fn cause(causes: &mut UnboundedReceiver<GapCause>) -> GapCause {
    within("a gap", causes.recv()).await.unwrap()
}

pub(crate) async fn a_request_is_found_however_the_error_is_wrapped(server: Server) {
    let (sender, mut causes) = unbounded_channel();
    let (told, mut failures) = unbounded_channel();
    let starting = subscriber(server.url())
        .state(sender)
        .handlers(handlers![
            on_boxed,
            on_plain,
            on_anyhow,
            on_context,
            on_transparent,
            on_other
        ])
        .on_failure(move |failure: Failure| {
            let _ = told.send(failure.reason());
            async {}
        })
        .start();
    let handle = within("the start", starting).await.unwrap();
    for _ in 0..6 {
        assert_eq!(cause(&mut causes).await, GapCause::Initial);
    }
    server.publish("other", "7").await;
    let reason = within("the failure", failures.recv()).await.unwrap();
    assert!(reason.starts_with("7 is wrong"), "{reason}");
    for channel in ["boxed", "plain", "anyhow", "context", "transparent"] {
        server.publish(channel, "7").await;
        assert_eq!(cause(&mut causes).await, GapCause::Requested, "{channel}");
        let reason = within("the failure", failures.recv()).await.unwrap();
        assert!(
            reason.ends_with("resync requested: 7 is missing"),
            "{reason}"
        );
    }
    within("readiness", handle.ready()).await;
    for counts in handle.stats().handlers {
        let gaps = u64::from(counts.handler != "on_other");
        assert_eq!(
            (counts.failed, counts.gaps),
            (1, gaps),
            "{}",
            counts.handler
        );
    }
}
