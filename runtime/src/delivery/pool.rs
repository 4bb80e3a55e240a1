use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::task::{AbortHandle, JoinSet};

use super::context::HandlerContext;
use super::executor::Executor;
use super::partitioner::Partitioner;
use super::worker::Worker;
use crate::gap::Gap;
use crate::handler::Handler;
use crate::push::{Batch, Push};
use crate::util::caught;

/// A handler with workers, and the loop that gives them their pushes and tells the gaps.
pub(crate) struct PoolExecutor<S, H> {
    own: Worker<S, H>,
    pool: Pool,
}

impl<S: Send + Sync + 'static, H: Handler<S>> PoolExecutor<S, H> {
    pub(crate) fn new(own: Worker<S, H>, tasks: &mut JoinSet<()>) -> Self {
        let pool = Pool::of(&own, tasks);
        Self { own, pool }
    }
}

impl<S: Send + Sync + 'static, H: Handler<S>> Executor for PoolExecutor<S, H> {
    fn context(&self) -> &HandlerContext {
        &self.own.context
    }

    async fn deliver(&mut self, batch: &Arc<Batch>, index: usize) {
        self.pool.give(batch, index).await;
    }

    async fn report(&mut self, gap: &Gap) {
        self.pool.wait_until_idle().await;
        self.own.report(gap).await;
    }

    async fn wait_until_idle(&mut self) {
        self.pool.wait_until_idle().await;
    }
}

/// The workers of one handler, each a task that decodes and handles for itself.
///
/// Without an order they share one queue; with one each has its own, and a key's pushes all go to
/// the same. Dropping the pool ends them.
struct Pool {
    context: Arc<HandlerContext>,
    queues: Vec<UnboundedSender<Job>>,
    order: Option<Partitioner>,
    /// Bounds the queues: a push is in hand from when it is given until its delivery has ended.
    in_hand: Arc<Semaphore>,
    most: u32,
    workers: Vec<AbortHandle>,
}

/// One push to deliver. A borrowed message cannot move between tasks; the batch it lies in can.
struct Job {
    batch: Arc<Batch>,
    index: usize,
    _in_hand: OwnedSemaphorePermit,
}

type Queue = Arc<Mutex<UnboundedReceiver<Job>>>;

/// How many pushes may be in hand for each worker: enough that the next one is there when one is
/// done, few enough that the ring keeps the rest.
const IN_HAND: usize = 4;

impl Pool {
    /// Starts the workers of a handler.
    fn of<S: Send + Sync + 'static, H: Handler<S>>(
        own: &Worker<S, H>,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let context = Arc::clone(&own.context);
        let count = context.workers.len();
        let order = context.spec.ordered_by.clone().map(Partitioner::by);
        let (queues, receivers): (Vec<_>, Vec<Queue>) = (0..order.as_ref().map_or(1, |_| count))
            .map(|_| {
                let (sender, receiver) = unbounded_channel();
                (sender, Arc::new(Mutex::new(receiver)))
            })
            .unzip();
        let workers = (0..count).map(|number| {
            let queue = Arc::clone(&receivers[number % receivers.len()]);
            tasks.spawn(work(own.numbered(number), queue))
        });
        let workers = workers.collect();
        let most = count.saturating_mul(IN_HAND).min(Semaphore::MAX_PERMITS);
        Self {
            context,
            queues,
            order,
            in_hand: Arc::new(Semaphore::new(most)),
            most: u32::try_from(most).unwrap_or(u32::MAX),
            workers,
        }
    }

    /// Gives a push to the worker it belongs to, when one of those in hand is done.
    async fn give(&self, batch: &Arc<Batch>, index: usize) {
        let in_hand = Arc::clone(&self.in_hand).acquire_owned().await;
        let push = Push::new(batch, index, &self.context.spec.subscriptions);
        let queue = match &self.order {
            Some(order) => order.place(push, self.queues.len()),
            None => 0,
        };
        // The pool holds the workers and the semaphore: neither is gone before it.
        if let Ok(in_hand) = in_hand {
            let _ = self.queues[queue].send(Job {
                batch: Arc::clone(batch),
                index,
                _in_hand: in_hand,
            });
        }
    }

    /// Waits until nothing is in hand.
    async fn wait_until_idle(&self) {
        drop(self.in_hand.acquire_many(self.most).await);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.workers.iter().for_each(AbortHandle::abort);
    }
}

async fn work<S: Send + Sync + 'static, H: Handler<S>>(mut worker: Worker<S, H>, queue: Queue) {
    loop {
        // In a statement of its own, so that the queue is free while this worker is not.
        let job = queue.lock().await.recv().await;
        let Some(job) = job.filter(|_| !worker.context.gate.is_over()) else {
            return;
        };
        // Nobody starts a worker again, so it does not end.
        if caught(worker.handle(&job.batch, job.index)).await.is_none() {
            worker.record_panic();
        }
        tokio::task::consume_budget().await;
    }
}
