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

/// Runs the deliveries of a handler on a pool of worker tasks.
pub(crate) struct PoolExecutor<S, H> {
    /// Runs the gap handler on the loop; the pool's workers are made from it.
    own: Worker<S, H>,
    pool: Pool,
}

impl<S: Send + Sync + 'static, H: Handler<S>> PoolExecutor<S, H> {
    pub(crate) fn new(own: Worker<S, H>, tasks: &mut JoinSet<()>) -> Self {
        let pool = Pool::spawn(&own, tasks);
        Self { own, pool }
    }
}

impl<S: Send + Sync + 'static, H: Handler<S>> Executor for PoolExecutor<S, H> {
    fn context(&self) -> &HandlerContext {
        &self.own.context
    }

    async fn deliver(&mut self, batch: &Arc<Batch>, index: usize) {
        self.pool.send(batch, index).await;
    }

    async fn report(&mut self, gap: &Gap) {
        self.pool.wait_until_idle().await;
        self.own.report(gap).await;
    }

    async fn wait_until_idle(&mut self) {
        self.pool.wait_until_idle().await;
    }
}

/// The worker tasks of one handler. Each worker decodes and handles the pushes that it receives.
///
/// Without `ordered_by` all workers share one queue. With it each worker has its own queue, and all
/// pushes with the same key go to the same one. Dropping the pool aborts the workers.
struct Pool {
    context: Arc<HandlerContext>,
    queues: Vec<UnboundedSender<Job>>,
    partitioner: Option<Partitioner>,
    /// Bounds the queues. A push holds a permit from the time it is queued until its delivery has
    /// ended.
    in_flight: Arc<Semaphore>,
    /// The number of permits.
    max_in_flight: u32,
    workers: Vec<AbortHandle>,
}

/// One push to deliver. A borrowed message cannot move between tasks, so the batch does.
struct Job {
    batch: Arc<Batch>,
    index: usize,
    _permit: OwnedSemaphorePermit,
}

type Queue = Arc<Mutex<UnboundedReceiver<Job>>>;

/// How many pushes may be in flight for each worker. Enough that a worker finds its next push when
/// it is done with one, and few enough that the backlog stays in the broadcast channel.
const IN_FLIGHT: u32 = 4;

/// A push of more bytes counts for [`IN_FLIGHT`] pushes: only the memory of the channel is limited.
const LARGE: usize = 8 * 1024;

impl Pool {
    /// Spawns the workers of a handler into `tasks`.
    fn spawn<S: Send + Sync + 'static, H: Handler<S>>(
        own: &Worker<S, H>,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let context = Arc::clone(&own.context);
        let count = context.workers.len();
        let partitioner = Partitioner::of(&context.spec);
        let queue_count = partitioner.as_ref().map_or(1, |_| count);
        let (queues, receivers): (Vec<_>, Vec<Queue>) = (0..queue_count)
            .map(|_| {
                let (sender, receiver) = unbounded_channel();
                (sender, Arc::new(Mutex::new(receiver)))
            })
            .unzip();
        let workers: Vec<_> = (0..count)
            .map(|number| {
                let queue = Arc::clone(&receivers[number % receivers.len()]);
                tasks.spawn(work(own.numbered(number), queue))
            })
            .collect();
        *context.worker_tasks.lock() = workers.clone();
        let permits = count.saturating_mul(IN_FLIGHT as usize);
        let permits = permits.min(Semaphore::MAX_PERMITS);
        Self {
            context,
            queues,
            partitioner,
            in_flight: Arc::new(Semaphore::new(permits)),
            max_in_flight: u32::try_from(permits).unwrap_or(u32::MAX),
            workers,
        }
    }

    /// Waits for a permit, then queues a push for a worker.
    async fn send(&self, batch: &Arc<Batch>, index: usize) {
        let push = Push::new(batch, index, &self.context.spec.subscriptions);
        let is_large = push.payload().len() > LARGE;
        let permits = if is_large { IN_FLIGHT } else { 1 };
        let permit = Arc::clone(&self.in_flight)
            .acquire_many_owned(permits)
            .await;
        let queue = match &self.partitioner {
            Some(partitioner) => partitioner.partition(push, self.queues.len()),
            None => 0,
        };
        // The semaphore is never closed, so there is always a permit. A send only fails after the
        // gate is over and the workers have returned.
        if let Ok(permit) = permit {
            let _ = self.queues[queue].send(Job {
                batch: Arc::clone(batch),
                index,
                _permit: permit,
            });
        }
    }

    /// Waits until no push is in flight.
    async fn wait_until_idle(&self) {
        drop(self.in_flight.acquire_many(self.max_in_flight).await);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.workers.iter().for_each(AbortHandle::abort);
    }
}

/// The loop of one worker.
async fn work<S: Send + Sync + 'static, H: Handler<S>>(mut worker: Worker<S, H>, queue: Queue) {
    loop {
        // A separate statement, so that the queue is unlocked while this worker handles the push.
        let job = queue.lock().await.recv().await;
        let Some(job) = job else { return };
        if !worker.context.gate.wait_until_open().await {
            return;
        }
        // Workers are not restarted, so a panic must not end one.
        if caught(|| worker.handle(&job.batch, job.index))
            .await
            .is_none()
        {
            worker.record_panic();
        }
        tokio::task::consume_budget().await;
    }
}
