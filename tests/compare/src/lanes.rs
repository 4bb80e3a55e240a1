//! What handlers do with messages, and the counting of them: the same for every peer.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::job::{Job, Work};
use crate::payload::{Quote, QuoteRef};
use crate::usage;

const SERVICE_TIME: Duration = Duration::from_micros(5);
const STALL: Duration = Duration::from_secs(1);

/// The lanes of one run: one for each task that handles messages.
#[derive(Clone)]
pub(crate) struct Lanes {
    lanes: Arc<[Arc<Lane>]>,
    shared: Arc<Shared>,
}

/// One handler's counter. On cache lines of its own, so that handlers on two cores do not slow
/// each other down by counting.
#[repr(align(128))]
pub(crate) struct Lane {
    handled: AtomicU64,
    expected: u64,
    /// Stalls at this message; `u64::MAX` on all lanes but the first.
    stall_at: u64,
    latencies_ns: Mutex<Vec<u64>>,
    shared: Arc<Shared>,
}

struct Shared {
    work: Work,
    borrowed: bool,
    decodes: bool,
    warmup: u64,
    first: OnceLock<Mark>,
    last: OnceLock<Mark>,
    unfinished: AtomicUsize,
    /// What the peer says it lost, in its own unit, if it says so at all.
    lost: AtomicU64,
    tells_loss: AtomicBool,
}

/// A moment, and what had been used until then.
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
            decodes: job.decodes,
            warmup: expected / 10,
            first: OnceLock::new(),
            last: OnceLock::new(),
            unfinished: AtomicUsize::new(count),
            lost: AtomicU64::new(0),
            tells_loss: AtomicBool::new(false),
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

    /// Says that the peer tells what it loses, even if that is nothing so far.
    pub(crate) fn tells_loss(&self) {
        self.shared.tells_loss.store(true, Relaxed);
    }

    /// Adds to what the peer says it lost.
    pub(crate) fn add_lost(&self, count: u64) {
        self.shared.lost.fetch_add(count, Relaxed);
    }

    pub(crate) fn reported_lost(&self) -> Option<u64> {
        let tells = self.shared.tells_loss.load(Relaxed);
        tells.then(|| self.shared.lost.load(Relaxed))
    }

    pub(crate) fn handled(&self) -> u64 {
        let counts = self.lanes.iter().map(|lane| lane.handled.load(Relaxed));
        counts.sum()
    }

    /// When the first message was handled.
    pub(crate) fn first(&self) -> Option<Mark> {
        self.shared.first.get().copied()
    }

    /// When the last message was handled, if none was lost.
    pub(crate) fn last(&self) -> Option<Mark> {
        self.shared.last.get().copied()
    }

    /// How long messages were under way, those of the warm-up left out, in order of size.
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

    /// Whether the messages of this run are decoded at all.
    pub(crate) fn decodes(&self) -> bool {
        self.shared.decodes
    }

    /// Decodes a message and handles it. If it returns a time, the handler sleeps for so long.
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
        // What does not decode is not counted, and so shows as lost.
        self.handle(decoded.ok()?)
    }

    /// As [`take`](Self::take), and sleeps where it should.
    pub(crate) async fn serve(&self, payload: &[u8]) {
        if let Some(pause) = self.take(payload) {
            tokio::time::sleep(pause).await;
        }
    }

    /// As [`take`](Self::take), and blocks the thread where it should.
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
