//! Waits that end.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// How long a test waits for what has to happen.
pub const BOUND: Duration = Duration::from_secs(10);

/// Waits for a future, at most [`BOUND`].
///
/// # Panics
///
/// When it takes longer; the message names what was waited for.
#[track_caller]
pub fn within<T>(what: &str, future: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        match timeout(BOUND, future).await {
            Ok(value) => value,
            Err(_) => panic!("waited {BOUND:?} in vain: {what} ({caller})"),
        }
    }
}

/// Asks again and again until the answer is true, for at most [`BOUND`].
///
/// For what nobody announces; where there is something to await, use [`within`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let mut asked = 0;
/// tests::eventually("asked three times", async || {
///     asked += 1;
///     asked == 3
/// })
/// .await;
/// # });
/// ```
///
/// # Panics
///
/// When it stays false; the message names what was waited for.
#[track_caller]
pub fn eventually(what: &str, condition: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    eventually_in(BOUND, what, condition)
}

/// [`eventually`] with a bound of its own.
///
/// # Panics
///
/// As [`eventually`].
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
                _ => panic!("waited {bound:?} in vain: {what} ({caller})"),
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}
