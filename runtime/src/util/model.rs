//! Runs a test under every interleaving that a model checker comes up with.
//!
//! ```sh
//! RUSTFLAGS='--cfg shuttle' cargo test -p redis-push --lib model::
//! ```
//!
//! Threads are coroutines here, and each lock of `crate::util::sync` lets the checker decide who runs
//! next. A wake-up that is lost shows as a deadlock. A failure prints its schedule, which
//! `shuttle::replay` runs again.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use shuttle::scheduler::{DfsScheduler, Schedule, Scheduler, Task, TaskId};
use shuttle::{Config, Runner};

/// Runs a model under random schedules, half of them with few changes of thread: those find what
/// needs a certain order of few steps.
pub(crate) fn check_some(model: impl Fn() + Copy + Send + Sync + 'static) {
    const SCHEDULES: usize = 1_000;
    const CHANGES: usize = 3;
    shuttle::check_random(model, SCHEDULES);
    shuttle::check_pct(model, SCHEDULES, CHANGES);
}

/// Runs a model under every schedule that interrupts a thread no more than `most` times where it
/// could go on, and under some that do so more often.
pub(crate) fn check(most: usize, model: impl Fn() + Copy + Send + Sync + 'static) {
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
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
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
