use std::sync::atomic::Ordering::SeqCst;
use std::task::Poll;

use tokio::runtime::Builder;

use super::*;

/// Spawns a task that calls `end`, and counts its runs.
fn ending(tasks: &Arc<Tasks>, end: fn()) -> (Task, Arc<AtomicU64>) {
    let runs = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&runs);
    let task = tasks.spawn(TaskName::Wakeups, move || {
        let counted = Arc::clone(&counted);
        async move {
            counted.fetch_add(1, SeqCst);
            end();
        }
    });
    (task, runs)
}

#[tokio::test]
async fn a_task_that_returns_is_done_and_one_that_panics_is_restarted() {
    let tasks = Tasks::new(CancellationToken::new());
    let far = Instant::now() + Duration::from_secs(3600);
    let (done, once) = ending(&tasks, || {});
    done.end(far).await;
    assert_eq!((once.load(SeqCst), tasks.restarts()), (1, 0));
    let (failing, often) = ending(&tasks, || panic!("a test has requested this panic"));
    let mut changed = tasks.changed();
    while tasks.restarts() < 3 {
        changed.changed().await.unwrap();
    }
    failing.end(Instant::now()).await;
    failing.end(far).await;
    assert!(often.load(SeqCst) >= 3);
    assert_eq!(tasks.down(), []);
}

#[tokio::test(start_paused = true)]
async fn a_task_is_down_until_it_runs_again() {
    let tasks = Tasks::new(CancellationToken::new());
    let name = TaskName::Handler {
        name: "on_quote".into(),
        is_required: true,
    };
    let task = tasks.spawn(name.clone(), std::future::pending);
    let mut changed = tasks.changed();
    // The task must listen for the panic before it is requested.
    while tasks.panics.receiver_count() == 0 {
        tokio::task::yield_now().await;
    }
    tasks.panic_in(&name);
    changed.changed().await.unwrap();
    assert_eq!(tasks.down(), [name]);
    changed.changed().await.unwrap();
    assert_eq!(tasks.down(), []);
    drop(task);
}

/// Panics when it is dropped.
struct Fragile;

impl Drop for Fragile {
    fn drop(&mut self) {
        panic!("a test has requested this panic");
    }
}

#[tokio::test]
async fn a_task_whose_future_panics_again_when_it_is_dropped_is_restarted() {
    let tasks = Tasks::new(CancellationToken::new());
    let mut is_first = true;
    let task = tasks.spawn(TaskName::Wakeups, move || {
        let fragile = std::mem::take(&mut is_first).then_some(Fragile);
        std::future::poll_fn(move |_| {
            assert!(fragile.is_none(), "a test has requested this panic");
            Poll::Pending
        })
    });
    let mut changed = tasks.changed();
    while tasks.restarts() < 1 {
        changed.changed().await.unwrap();
    }
    drop(task);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_the_pause_before_a_restart() {
    let stop = CancellationToken::new();
    let tasks = Tasks::new(stop.clone());
    let (task, runs) = ending(&tasks, || panic!("a test has requested this panic"));
    let mut changed = tasks.changed();
    while runs.load(SeqCst) < 8 {
        changed.changed().await.unwrap();
    }
    let begun = Instant::now();
    stop.cancel();
    while runs.load(SeqCst) < 9 {
        changed.changed().await.unwrap();
    }
    assert!(begun.elapsed() < Duration::from_millis(100));
    drop(task);
}

#[tokio::test]
async fn a_task_is_gone_when_its_end_was_waited_for() {
    let held = Arc::new(());
    let tasks = Tasks::new(CancellationToken::new());
    let task = tasks.spawn(TaskName::Watchdog, {
        let held = Arc::clone(&held);
        move || {
            let held = Arc::clone(&held);
            async move {
                std::future::pending::<()>().await;
                drop(held);
            }
        }
    });
    task.end(Instant::now()).await;
    task.end(Instant::now() + Duration::from_secs(3600)).await;
    assert_eq!(Arc::strong_count(&held), 1);
    assert_eq!((tasks.down(), tasks.restarts()), (vec![], 0));
}

#[test]
fn a_runtime_that_shuts_down_restarts_nothing() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let tasks = Tasks::new(CancellationToken::new());
    let spawned: Vec<_> = runtime.block_on(async {
        let spawn = |_| tasks.spawn(TaskName::Wakeups, std::future::pending);
        (0..100).map(spawn).collect()
    });
    drop(runtime);
    drop(spawned);
    assert_eq!((tasks.down(), tasks.restarts()), (vec![], 0));
    assert_eq!(Arc::strong_count(&tasks), 1);
}
