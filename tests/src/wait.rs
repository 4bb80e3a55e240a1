//! Bounded waits: a test fails instead of hanging.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// How long a test waits for something that has to happen.
pub const BOUND: Duration = Duration::from_secs(10);

/// Waits for a future, for at most [`BOUND`].
///
/// # Panics
///
/// If the future takes longer. The message names `what` and the caller's place.
#[track_caller]
pub fn within<T>(what: &str, future: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        match timeout(BOUND, future).await {
            Ok(value) => value,
            Err(_) => panic!("timed out after {BOUND:?}: {what} ({caller})"),
        }
    }
}

/// Polls a condition until it is true, for at most [`BOUND`].
///
/// Use it for conditions that have no notification. Where there is something to await, use
/// [`within`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let mut polls = 0;
/// tests::eventually("three polls", async || {
///     polls += 1;
///     polls == 3
/// })
/// .await;
/// # });
/// ```
///
/// # Panics
///
/// If the condition stays false. The message names `what` and the caller's place.
#[track_caller]
pub fn eventually(what: &str, condition: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    eventually_in(BOUND, what, condition)
}

/// Like [`eventually`], with a bound of the caller's choice.
///
/// # Panics
///
/// Like [`eventually`].
#[track_caller]
pub fn eventually_in(
    bound: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> bool,
) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let end = Instant::now() + bound;
        let mut pause = Duration::from_millis(1);
        loop {
            match tokio::time::timeout_at(end, condition()).await {
                Ok(true) => return,
                Ok(false) if Instant::now() < end => {}
                _ => panic!("timed out after {bound:?}: {what} ({caller})"),
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}
