//! The work of handlers and the counters of their messages, which are the same for every peer.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::job::{Job, Work};
use crate::payload::{Quote, QuoteRef};
use crate::usage;

const SERVICE_TIME: Duration = Duration::from_micros(5);
const STALL: Duration = Duration::from_secs(1);

/// The lanes of one run: a [`Lane`] for each task that handles messages.
#[derive(Clone)]
pub(crate) struct Lanes {
    lanes: Arc<[Arc<Lane>]>,
    shared: Arc<Shared>,
}

/// The counters of one task. They are on separate cache lines, so that tasks on two cores do not slow
/// each other down.
#[repr(align(128))]
pub(crate) struct Lane {
    handled: AtomicU64,
    expected: u64,
    /// The task stalls at this message. `u64::MAX` on all lanes but the first.
    stall_at: u64,
    latencies_ns: Mutex<Vec<u64>>,
    shared: Arc<Shared>,
}

struct Shared {
    work: Work,
    borrowed: bool,
    shared: bool,
    decodes: bool,
    warmup: u64,
    first: OnceLock<Mark>,
    last: OnceLock<Mark>,
    unfinished: AtomicUsize,
    /// How much the peer reports as lost, in its own unit, if it reports losses at all.
    lost: AtomicU64,
    reports_loss: AtomicBool,
}

/// A moment, and the resources used until then.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) at: Instant,
    pub(crate) cpu: Duration,
    pub(crate) allocations: Option<u64>,
}

impl Mark {
    pub(crate) fn now() -> Self {
        Self {
            at: Instant::now(),
            cpu: usage::cpu(),
            allocations: usage::allocations(),
        }
    }
}

impl Lanes {
    /// A lane for each handler.
    pub(crate) fn per_handler(job: &Job) -> Self {
        Self::new(job, job.handlers)
    }

    /// One lane for all handlers, for a peer that handles everything in one place.
    pub(crate) fn single(job: &Job) -> Self {
        Self::new(job, 1)
    }

    fn new(job: &Job, count: usize) -> Self {
        let expected = job.deliveries() / count as u64;
        let shared = Arc::new(Shared {
            work: job.work,
            borrowed: job.borrowed,
            shared: job.shared,
            decodes: job.decodes,
            warmup: expected / 10,
            first: OnceLock::new(),
            last: OnceLock::new(),
            unfinished: AtomicUsize::new(count),
            lost: AtomicU64::new(0),
            reports_loss: AtomicBool::new(false),
        });
        let lane = |index| {
            Arc::new(Lane {
                handled: AtomicU64::new(0),
                expected,
                stall_at: if index == 0 { expected / 2 } else { u64::MAX },
                latencies_ns: Mutex::new(match job.work {
                    Work::Clock => Vec::with_capacity(expected as usize),
                    _ => Vec::new(),
                }),
                shared: Arc::clone(&shared),
            })
        };
        Self {
            lanes: (0..count).map(lane).collect(),
            shared,
        }
    }

    pub(crate) fn lane(&self, index: usize) -> Arc<Lane> {
        Arc::clone(&self.lanes[index])
    }

    /// Marks the peer as one that reports losses, even if nothing is lost so far.
    pub(crate) fn reports_loss(&self) {
        self.shared.reports_loss.store(true, Relaxed);
    }

    /// Adds to the losses that the peer reports.
    pub(crate) fn add_lost(&self, count: u64) {
        self.shared.lost.fetch_add(count, Relaxed);
    }

    pub(crate) fn reported_lost(&self) -> Option<u64> {
        let reports = self.shared.reports_loss.load(Relaxed);
        reports.then(|| self.shared.lost.load(Relaxed))
    }

    pub(crate) fn handled(&self) -> u64 {
        let counts = self.lanes.iter().map(|lane| lane.handled.load(Relaxed));
        counts.sum()
    }

    /// The mark of the first message.
    pub(crate) fn first(&self) -> Option<Mark> {
        self.shared.first.get().copied()
    }

    /// The mark of the last message, if none was lost.
    pub(crate) fn last(&self) -> Option<Mark> {
        self.shared.last.get().copied()
    }

    /// The sorted latencies, without those of the warm-up.
    pub(crate) fn latencies_ns(&self) -> Vec<u64> {
        let taken = |lane: &Arc<Lane>| {
            std::mem::take(
                &mut *lane
                    .latencies_ns
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner),
            )
        };
        let mut all: Vec<u64> = self.lanes.iter().flat_map(taken).collect();
        all.sort_unstable();
        all
    }
}

impl Lane {
    /// Whether the messages of this run are decoded without copying.
    pub(crate) fn borrows(&self) -> bool {
        self.shared.borrowed
    }

    /// Whether the handlers of this run share each decoded message.
    pub(crate) fn shares(&self) -> bool {
        self.shared.shared
    }

    /// Whether the messages of this run are decoded at all.
    pub(crate) fn decodes(&self) -> bool {
        self.shared.decodes
    }

    /// Decodes a message and handles it. If this returns a duration, the handler must sleep for it.
    #[must_use]
    pub(crate) fn take(&self, payload: &[u8]) -> Option<Duration> {
        if !self.decodes() {
            black_box(payload);
            return self.handle(0);
        }
        let decoded = if self.borrows() {
            serde_json::from_slice::<QuoteRef<'_>>(payload).map(|quote| black_box(&quote).at)
        } else {
            serde_json::from_slice::<Quote>(payload).map(|quote| black_box(&quote).at)
        };
        // A message that does not decode is not counted, so it shows as lost.
        self.handle(decoded.ok()?)
    }

    /// Like [`take`](Self::take), and sleeps if required.
    pub(crate) async fn serve(&self, payload: &[u8]) {
        if let Some(pause) = self.take(payload) {
            tokio::time::sleep(pause).await;
        }
    }

    /// Like [`take`](Self::take), and blocks the thread if required.
    pub(crate) fn serve_blocking(&self, payload: &[u8]) {
        if let Some(pause) = self.take(payload) {
            std::thread::sleep(pause);
        }
    }

    /// Handles a decoded message.
    #[must_use]
    pub(crate) fn handle(&self, at: u64) -> Option<Duration> {
        let arrived = match self.shared.work {
            Work::Clock => usage::monotonic_ns(),
            _ => 0,
        };
        let count = self.handled.fetch_add(1, Relaxed) + 1;
        if count == 1 {
            self.shared.first.get_or_init(Mark::now);
        }
        let pause = match self.shared.work {
            Work::Count => None,
            Work::Clock => {
                if count > self.shared.warmup {
                    let mut latencies = self
                        .latencies_ns
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner);
                    latencies.push(arrived.saturating_sub(at));
                }
                None
            }
            Work::Busy => {
                let start = Instant::now();
                while start.elapsed() < SERVICE_TIME {
                    std::hint::spin_loop();
                }
                None
            }
            Work::Stall => (count == self.stall_at).then_some(STALL),
        };
        if count == self.expected && self.shared.unfinished.fetch_sub(1, Relaxed) == 1 {
            self.shared.last.get_or_init(Mark::now);
        }
        pause
    }
}
