use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use tokio::runtime::Builder;

use super::*;

/// A task that ends as `end` does, and how often it has run.
fn ending(keeper: &Arc<Keeper>, end: fn()) -> (usize, Arc<AtomicU64>) {
    let runs = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&runs);
    let index = keeper.keep(TaskName::Waking, move |watched| {
        let counted = Arc::clone(&counted);
        watched.spawn(async move {
            counted.fetch_add(1, SeqCst);
            end();
        })
    });
    (index, runs)
}

#[tokio::test]
async fn what_returns_is_done_and_what_panics_is_started_again() {
    let keeper = Keeper::new();
    keeper.keep_itself();
    let far = Instant::now() + Duration::from_secs(3600);
    let (done, once) = ending(&keeper, || {});
    keeper.end(done, far).await;
    let (failing, often) = ending(&keeper, || panic!("a test has asked for this panic"));
    let mut news = keeper.news();
    while keeper.restarts() < 3 {
        news.changed().await.unwrap();
    }
    keeper.end(failing, Instant::now()).await;
    assert_eq!(once.load(SeqCst), 1);
    assert!(often.load(SeqCst) >= 3);
    keeper.close();
    assert!(keeper.down().is_empty());
}

/// An operator would be told of an end that never was.
#[tokio::test]
async fn a_task_that_is_being_started_for_the_first_time_is_no_restart() {
    let runtime = tokio::runtime::Handle::current();
    let is_over = AtomicBool::new(false);
    for _ in 0..200 {
        let keeper = Keeper::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    // It starts tasks too.
                    let _entered = runtime.enter();
                    while !is_over.load(SeqCst) {
                        keeper.mend();
                    }
                });
            }
            for _ in 0..100 {
                keeper.keep(TaskName::Waking, |watched| {
                    watched.spawn(std::future::pending())
                });
            }
            is_over.store(true, SeqCst);
        });
        is_over.store(false, SeqCst);
        assert_eq!(keeper.restarts(), 0);
        keeper.close();
    }
}

#[test]
fn a_runtime_that_shuts_down_starts_nothing_again() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let keeper = Keeper::new();
    runtime.block_on(async {
        keeper.keep_itself();
        for _ in 0..100 {
            keeper.keep(TaskName::Waking, |watched| {
                watched.spawn(std::future::pending())
            });
        }
    });
    drop(runtime);
    assert_eq!(keeper.restarts(), 0);
    assert_eq!(keeper.down().len(), 101);
    keeper.close();
    assert_eq!(Arc::strong_count(&keeper), 1);
}
