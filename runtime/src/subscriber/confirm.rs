//! Waits for the first confirmation of everything, and says what is missing.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::handle::Handle;
use crate::dispatch::Standing;
use crate::error::{Error, Result};
use crate::session::{Phase, Status};

/// Waits until every subscription is confirmed.
///
/// With a deadline, a definite no of the server ends the wait before it.
pub(crate) async fn confirmed(
    handle: &Handle,
    deadline: Option<Duration>,
    allows_denied: bool,
) -> Result<()> {
    let is_started = |status: &Status| match status.phase {
        Phase::Connecting => false,
        Phase::Degraded => allows_denied,
        Phase::Ready => true,
    };
    let mut status = handle.status.clone();
    let Some(deadline) = deadline else {
        // The supervisor lives as long as the handle.
        let _ = status.wait_for(is_started).await;
        return Ok(());
    };
    // As it was when the wait ended: it may have changed since.
    let decided = timeout(deadline, async {
        let decided = status.wait_for(is_decided).await;
        decided.ok().map(|decided| decided.clone())
    });
    let decided = decided.await;
    let timed_out = decided.is_err().then_some(deadline);
    let decided = decided.ok().flatten();
    let status = decided.unwrap_or_else(|| handle.status.borrow().clone());
    if is_started(&status) {
        return Ok(());
    }
    Err(explain(handle, &status, timed_out, allows_denied))
}

fn is_decided(status: &Status) -> bool {
    let is_final = |error: &Arc<Error>| error.is_auth() || error.is_config() || error.is_tls();
    let refused = status.error.as_ref().is_some_and(is_final);
    status.phase != Phase::Connecting || refused
}

/// Names what is not confirmed, by whom it is wanted, and why it is not.
fn explain(
    handle: &Handle,
    status: &Status,
    timed_out: Option<Duration>,
    allows_denied: bool,
) -> Error {
    let standings = handle.feed.standings();
    let total = standings.len();
    let missing: Vec<_> = standings
        .into_iter()
        .filter(|(_, standing)| *standing != Standing::Confirmed)
        .collect();
    let mut text = match timed_out {
        Some(deadline) => format!("not started within {deadline:?}"),
        None => String::from("not started"),
    };
    let connection = status
        .error
        .as_ref()
        .filter(|_| status.phase == Phase::Connecting);
    if let Some(error) = connection {
        let _ = write!(text, ": {error}");
    }
    if total > 0 {
        let separator = if connection.is_some() { ';' } else { ':' };
        let missing = missing.len();
        let _ = write!(
            text,
            "{separator} {missing} of {total} subscriptions not confirmed:"
        );
    }
    const MOST: usize = 20;
    for (subscription, standing) in missing.iter().take(MOST) {
        let _ = write!(text, "\n  {subscription}");
        let wants = |lane: &crate::delivery::Lane| {
            let mut names = lane.spec.subscriptions.iter();
            names.any(|name| name.key() == subscription.key())
        };
        for (lane, _) in handle.lanes.iter().filter(|(lane, _)| wants(lane)) {
            let _ = write!(text, ", for {}", lane.spec.label());
        }
        if let Standing::Denied(reason) = standing {
            let _ = write!(text, ": {reason}");
        }
    }
    if missing.len() > MOST {
        let _ = write!(text, "\n  … and {} more", missing.len() - MOST);
    }
    let is_denied = |(_, standing): &(_, Standing)| matches!(standing, Standing::Denied(_));
    let error = match connection {
        Some(error) if error.is_auth() => Error::auth(text),
        Some(error) if error.is_config() => Error::config(text),
        Some(error) if error.is_tls() => Error::tls(text),
        _ if !allows_denied && missing.iter().any(is_denied) => Error::denied(text),
        _ => Error::timeout(text),
    };
    match connection {
        Some(cause) => error.caused_by(Arc::clone(cause)),
        None => error,
    }
}
