//! The ring and the feed under every interleaving that a model checker comes up with.
//!
//! ```sh
//! RUSTFLAGS='--cfg shuttle' cargo test -p redis-push --lib model::
//! ```
//!
//! Threads are coroutines here, and each lock of `crate::sync` lets the checker decide who runs
//! next. A wake-up that is lost shows as a deadlock. A failure prints its schedule, which
//! `shuttle::replay` runs again.

mod feed;
mod ring;

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::SystemTime;

use shuttle::scheduler::{DfsScheduler, Schedule, Scheduler, Task, TaskId};
use shuttle::{Config, Runner};

use crate::batch::Batch;
use crate::gap::{GapCause, Missed};
use crate::ring::{Break, Item, Receiver};
use crate::spec::Budget;

/// Runs a model under random schedules, half of them with few changes of thread: those find what
/// needs a certain order of few steps.
fn check_some(model: impl Fn() + Copy + Send + Sync + 'static) {
    const SCHEDULES: usize = 1_000;
    const CHANGES: usize = 3;
    shuttle::check_random(model, SCHEDULES);
    shuttle::check_pct(model, SCHEDULES, CHANGES);
}

/// Runs a model under every schedule that interrupts a thread no more than `most` times where it
/// could go on, and under some that do so more often.
fn check(most: usize, model: impl Fn() + Copy + Send + Sync + 'static) {
    let scheduler = Bounded {
        all: DfsScheduler::new(None, false),
        most,
        interruptions: 0,
    };
    let schedules = Runner::new(scheduler, Config::default()).run(model);
    println!("{schedules} schedules with at most {most} interruptions");
    check_some(model);
}

struct Bounded {
    all: DfsScheduler,
    most: usize,
    interruptions: usize,
}

impl Scheduler for Bounded {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.interruptions = 0;
        self.all.new_execution()
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let mut runs = runnable.iter().filter(|task| Some(task.id()) == current);
        match runs.next().filter(|_| !is_yielding) {
            Some(task) if self.interruptions == self.most => {
                self.all.next_task(&[task], current, is_yielding)
            }
            runs => {
                let next = self.all.next_task(runnable, current, is_yielding);
                self.interruptions += usize::from(runs.is_some() && next != current);
                next
            }
        }
    }

    fn next_u64(&mut self) -> u64 {
        self.all.next_u64()
    }
}

/// Blocks this thread until the future is ready.
///
/// Others may run between the unlocking before a wake-up and the wake-up itself.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    shuttle::future::block_on(std::future::poll_fn(|cx| {
        let waker = Waker::from(Arc::new(Late(cx.waker().clone())));
        future.as_mut().poll(&mut Context::from_waker(&waker))
    }))
}

struct Late(Waker);

impl Wake for Late {
    fn wake(self: Arc<Self>) {
        shuttle::thread::yield_now();
        self.0.wake_by_ref();
    }
}

/// What one reader has been given.
struct Reader {
    receiver: Receiver,
    /// The number of the next push.
    position: u64,
    missed: u64,
    gaps: Vec<GapCause>,
}

impl Reader {
    fn new(receiver: Receiver) -> Self {
        Self {
            receiver,
            position: 0,
            missed: 0,
            gaps: Vec::new(),
        }
    }

    /// Reads until this many pushes are accounted for.
    fn read_to(mut self, count: u64) -> Self {
        while self.position < count {
            assert!(self.read(), "the ring is open");
        }
        assert_eq!(self.position, count);
        self
    }

    fn read_to_the_end(mut self) -> Self {
        while self.read() {}
        self
    }

    /// Reads what comes next, and checks that each push is the one behind the last one.
    fn read(&mut self) -> bool {
        let Some(Item { gap, missed, batch }) = block_on(self.receiver.recv()) else {
            return false;
        };
        assert!(missed == 0 || gap.is_some(), "what was missed is told");
        if let Some(gap) = &gap {
            let told = match gap.missed {
                Missed::Exactly(told) | Missed::AtLeast(told) => told,
                _ => 0,
            };
            assert_eq!(told, missed, "{gap:?}");
            self.gaps.push(gap.cause);
        }
        self.position += missed;
        self.missed += missed;
        if let Some((batch, skip)) = batch {
            for index in skip..batch.len() {
                assert_eq!(number(&batch, index), self.position, "order, no duplicate");
                self.position += 1;
            }
            self.receiver.done(batch);
        }
        true
    }
}

/// The payload of the push with this number.
fn payload(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

fn number(batch: &Batch, index: usize) -> u64 {
    u64::from_be_bytes(batch.bytes()[batch.payload(index)].try_into().unwrap())
}

fn holds(messages: usize) -> Budget {
    Budget {
        messages,
        ..Budget::default()
    }
}

fn since(cause: GapCause) -> Break {
    Break {
        cause,
        missed: Missed::Unknown,
        since: SystemTime::now(),
    }
}
