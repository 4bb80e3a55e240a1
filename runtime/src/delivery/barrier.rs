use std::sync::atomic::Ordering::SeqCst;

use tokio::sync::Notify;

use super::pause::PauseGate;
use crate::util::AtomicUsize;

/// Counts the deliveries that run on worker tasks, so that the loop can wait until none does while
/// [`PauseGate`] holds the others back.
///
/// A worker counts itself before it looks at the gate, and the loop looks at the count after the gate
/// was closed. All of this is sequentially consistent: a worker that finds the gate open is counted by
/// the time the loop looks.
#[derive(Debug, Default)]
pub(super) struct Barrier {
    running: AtomicUsize,
    /// Notified when the last delivery has ended while the gate is closed.
    ended: Notify,
}

/// A delivery that runs on a worker task, until it is dropped.
pub(super) struct Running<'b> {
    barrier: &'b Barrier,
    gate: &'b PauseGate,
}

impl Barrier {
    /// Waits until a delivery may begin. Returns `None` if none may any more.
    #[inline]
    pub(super) async fn enter<'b>(&'b self, gate: &'b PauseGate) -> Option<Running<'b>> {
        loop {
            self.running.fetch_add(1, SeqCst);
            let running = Running {
                barrier: self,
                gate,
            };
            if gate.is_open() {
                return Some(running);
            }
            drop(running);
            if !Box::pin(gate.opened()).await {
                return None;
            }
        }
    }

    /// Waits until no delivery runs. To be called while the gate is closed.
    pub(super) async fn wait_until_none_runs(&self) {
        while self.running.load(SeqCst) > 0 {
            // A notification from before is kept, so that none is missed.
            self.ended.notified().await;
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let was_last = self.barrier.running.fetch_sub(1, SeqCst) == 1;
        if was_last && !self.gate.is_open() {
            self.barrier.ended.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_delivery_runs_between_the_wait_and_the_opening_of_the_gate() {
        const ROUNDS: usize = 500;
        let barrier = Arc::new(Barrier::default());
        let gate = Arc::new(PauseGate::default());
        let is_held = Arc::new(AtomicBool::new(false));
        let deliveries = Arc::new(AtomicUsize::new(0));
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let (barrier, gate) = (Arc::clone(&barrier), Arc::clone(&gate));
                let (is_held, deliveries) = (Arc::clone(&is_held), Arc::clone(&deliveries));
                tokio::spawn(async move {
                    while let Some(running) = barrier.enter(&gate).await {
                        assert!(!is_held.load(SeqCst));
                        deliveries.fetch_add(1, SeqCst);
                        tokio::task::yield_now().await;
                        assert!(!is_held.load(SeqCst));
                        drop(running);
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for _ in 0..ROUNDS {
            let before = deliveries.load(SeqCst);
            gate.request_resync();
            barrier.wait_until_none_runs().await;
            is_held.store(true, SeqCst);
            tokio::task::yield_now().await;
            is_held.store(false, SeqCst);
            gate.served(1);
            while deliveries.load(SeqCst) == before {
                tokio::task::yield_now().await;
            }
        }
        gate.end();
        for worker in workers {
            worker.await.unwrap();
        }
        assert_eq!(barrier.running.load(SeqCst), 0);
    }
}

#[cfg(all(test, shuttle))]
mod model {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use shuttle::thread;

    use super::*;
    use crate::util::model::{block_on, check};

    #[test]
    fn a_resync_runs_while_no_worker_delivers() {
        check(2, || {
            let barrier = Arc::new(Barrier::default());
            let gate = Arc::new(PauseGate::default());
            let resyncs = Arc::new(AtomicBool::new(false));
            let workers: Vec<_> = (0..2)
                .map(|_| {
                    let (barrier, gate) = (Arc::clone(&barrier), Arc::clone(&gate));
                    let resyncs = Arc::clone(&resyncs);
                    thread::spawn(move || {
                        let running = block_on(barrier.enter(&gate)).expect("it never ends");
                        assert!(!resyncs.load(SeqCst));
                        thread::yield_now();
                        assert!(!resyncs.load(SeqCst));
                        drop(running);
                    })
                })
                .collect();
            gate.request_resync();
            block_on(barrier.wait_until_none_runs());
            resyncs.store(true, SeqCst);
            thread::yield_now();
            resyncs.store(false, SeqCst);
            gate.served(1);
            for worker in workers {
                worker.join().expect("no delivery beside the resync");
            }
        });
    }
}
