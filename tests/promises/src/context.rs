//! The input of a run of a promise.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use redis_push::{Handle, Subscriber};
use tests::{RealServer, ServerBinary, within};
use tokio::task::JoinError;

use crate::figure::Figure;
use crate::report::Report;
use crate::subject::Subject;

/// The server, the subject, the seed and the size of a run.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) binary: ServerBinary,
    pub(crate) quick: bool,
    pub(crate) seed: u64,
    pub(crate) subject: Subject,
    /// How often scenarios are repeated, if the user says it.
    pub(crate) rounds: Option<usize>,
    pub(crate) report: Report,
}

impl Context {
    /// Picks one of two sizes.
    pub(crate) fn pick<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }

    /// How often a scenario is repeated: as the user says, or one of two numbers.
    pub(crate) fn rounds(&self, quick: usize, full: usize) -> usize {
        self.rounds.unwrap_or(self.pick(quick, full))
    }

    /// A random generator that depends only on the seed, the subject and `purpose`.
    pub(crate) fn rng(&self, purpose: &str) -> fastrand::Rng {
        let mut hasher = DefaultHasher::new();
        (self.seed, self.subject, purpose).hash(&mut hasher);
        fastrand::Rng::with_seed(hasher.finish())
    }

    /// Starts a new server.
    pub(crate) async fn server(&self) -> RealServer {
        RealServer::start(&self.binary).await
    }

    /// A subscriber over the link under test, with the library's defaults.
    pub(crate) fn subscriber(&self, url: impl Into<String>) -> Subscriber {
        let subscriber = Subscriber::new(url);
        match self.subject {
            Subject::Wire => subscriber.wire(),
            _ => subscriber,
        }
    }

    /// Records a figure.
    pub(crate) fn record(&self, figure: Figure) {
        self.report.add(self.subject, figure);
    }
}

/// Runs a future on a thread of its own, for what cannot be sent between threads, such as what is done to the
/// nodes of a cluster. Its tasks run on the runtime of the caller.
///
/// # Errors
///
/// Returns an error if it panics.
pub(crate) async fn apart<T, F>(run: impl FnOnce() -> F + Send + 'static) -> Result<T, JoinError>
where
    F: Future<Output = T>,
    T: Send + 'static,
{
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(run())).await
}

/// Waits until a subscriber is not ready any more.
///
/// # Panics
///
/// If it stays ready.
pub(crate) async fn unready(handle: &Handle) {
    within("the outage to be noticed", async {
        while handle.is_ready() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// Milliseconds, for figures.
pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The quantile `part`, from 0 to 1, of sorted values. Zero if there are none.
pub(crate) fn quantile(sorted: &[f64], part: f64) -> f64 {
    match sorted.len() {
        0 => 0.0,
        count => sorted[((count - 1) as f64 * part).round() as usize],
    }
}

/// The values, sorted.
pub(crate) fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values
}
