//! Runs a test under many interleavings of its threads, chosen by a model checker.
//!
//! ```sh
//! RUSTFLAGS='--cfg shuttle' cargo test -p redis-push --features cache --lib model::
//! ```
//!
//! Threads are coroutines here. At each lock and atomic of `crate::util::sync` the checker decides which thread
//! runs next. A lost wake-up appears as a deadlock. A failure prints its schedule, which
//! `shuttle::replay` runs again.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use shuttle::scheduler::{
    DfsScheduler, PctScheduler, RandomScheduler, Schedule, Scheduler, Task, TaskId,
};
use shuttle::{Config, Runner};

/// Runs a model under random schedules. Half of them switch threads rarely: those find bugs that need
/// a certain order of a few steps.
pub(crate) fn check_some(model: impl Fn() + Copy + Send + Sync + 'static) {
    check_schedules(1_000, model);
}

/// Like [`check_some`], for a model with so many threads and steps that fewer schedules have to do. Each run
/// chooses others.
pub(crate) fn check_few(model: impl Fn() + Copy + Send + Sync + 'static) {
    check_schedules(250, model);
}

fn check_schedules(count: usize, model: impl Fn() + Copy + Send + Sync + 'static) {
    const CHANGES: usize = 3;
    run(RandomScheduler::new(count), model);
    run(PctScheduler::new(CHANGES, count), model);
}

/// Runs a model under every schedule that interrupts threads that could continue at most `max` times,
/// and then under random schedules without that limit.
pub(crate) fn check(max: usize, model: impl Fn() + Copy + Send + Sync + 'static) {
    let scheduler = Bounded {
        all: DfsScheduler::new(None, false),
        max,
        interruptions: 0,
    };
    let schedules = run(scheduler, model);
    println!("{schedules} schedules with at most {max} interruptions");
    check_some(model);
}

/// Runs a model under the schedules of a scheduler. Returns how many there were.
fn run(scheduler: impl Scheduler + 'static, model: impl Fn() + Send + Sync + 'static) -> usize {
    // The default of 32 KiB a thread is not enough without optimizations, and an overflow is a
    // segmentation fault.
    const STACK: usize = 256 << 10;
    let mut config = Config::default();
    config.stack_size = STACK;
    Runner::new(scheduler, config).run(model)
}

/// A depth-first scheduler with a limit of `max` interruptions.
struct Bounded {
    all: DfsScheduler,
    max: usize,
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
            Some(task) if self.interruptions == self.max => {
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
/// Other threads may run between the release of the lock before a wake-up and the wake-up itself.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    shuttle::future::block_on(std::future::poll_fn(|cx| {
        let waker = Waker::from(Arc::new(Late(cx.waker().clone())));
        future.as_mut().poll(&mut Context::from_waker(&waker))
    }))
}

/// A waker that yields to other threads before it wakes.
struct Late(Waker);

impl Wake for Late {
    fn wake(self: Arc<Self>) {
        shuttle::thread::yield_now();
        self.0.wake_by_ref();
    }
}
