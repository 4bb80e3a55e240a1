use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::task::{AbortHandle, JoinSet};

use super::barrier::Barrier;
use super::context::HandlerContext;
use super::executor::Executor;
use super::instruments::Surroundings;
use super::partitioner::Partitioner;
use super::worker::Worker;
use crate::gap::Gap;
use crate::handler::Handler;
use crate::push::{Batch, Push};
use crate::util::caught;

/// Runs the deliveries of a handler on a pool of worker tasks.
pub(crate) struct PoolExecutor<S, H, A> {
    /// Runs the gap handler on the loop; the pool's workers are made from it.
    own: Worker<S, H, A>,
    pool: Pool,
}

impl<S: Send + Sync + 'static, H: Handler<S>, A: Surroundings> PoolExecutor<S, H, A> {
    pub(crate) fn new(own: Worker<S, H, A>, tasks: &mut JoinSet<()>) -> Self {
        let pool = Pool::spawn(&own, tasks);
        Self { own, pool }
    }
}

impl<S: Send + Sync + 'static, H: Handler<S>, A: Surroundings> Executor for PoolExecutor<S, H, A> {
    fn context(&self) -> &HandlerContext {
        &self.own.context
    }

    async fn deliver(&mut self, batch: &Arc<Batch>, index: usize) -> bool {
        self.pool.send(batch, index).await
    }

    async fn report(&mut self, gap: &Gap) {
        self.own.report(gap).await;
    }

    async fn wait_until_idle(&mut self) -> bool {
        self.pool.wait_until_idle().await
    }

    async fn wait_until_none_runs(&mut self) {
        self.pool.barrier.wait_until_none_runs().await;
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
    /// Finds out whether a delivery runs, while those in the queues are held back.
    barrier: Arc<Barrier>,
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
    fn spawn<S: Send + Sync + 'static, H: Handler<S>, A: Surroundings>(
        own: &Worker<S, H, A>,
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
        let barrier = Arc::<Barrier>::default();
        let workers: Vec<_> = (0..count)
            .map(|number| {
                let queue = Arc::clone(&receivers[number % receivers.len()]);
                let number = u16::try_from(number).expect("there are at most 16,384 workers");
                tasks.spawn(work(own.numbered(number), queue, Arc::clone(&barrier)))
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
            barrier,
            workers,
        }
    }

    /// Waits for a permit, then queues a push for a worker. Returns `false` and queues nothing if a resync
    /// is due first: the workers wait for it, and free no permit.
    async fn send(&self, batch: &Arc<Batch>, index: usize) -> bool {
        let push = Push::new(batch, index, &self.context.spec.subscriptions);
        let is_large = push.payload().len() > LARGE;
        let permits = if is_large { IN_FLIGHT } else { 1 };
        let permit = tokio::select! {
            biased;
            permit = Arc::clone(&self.in_flight).acquire_many_owned(permits) => permit,
            () = self.context.gate.resync_due() => return false,
        };
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
        true
    }

    /// Waits until no push is in flight. Returns `false` if a resync is due before that.
    async fn wait_until_idle(&self) -> bool {
        tokio::select! {
            biased;
            _ = self.in_flight.acquire_many(self.max_in_flight) => true,
            () = self.context.gate.resync_due() => false,
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.workers.iter().for_each(AbortHandle::abort);
    }
}

/// The loop of one worker.
async fn work<S: Send + Sync + 'static, H: Handler<S>, A: Surroundings>(
    mut worker: Worker<S, H, A>,
    queue: Queue,
    barrier: Arc<Barrier>,
) {
    let context = Arc::clone(&worker.context);
    loop {
        // A separate statement, so that the queue is unlocked while this worker handles the push.
        let job = queue.lock().await.recv().await;
        let Some(job) = job else { return };
        let Some(running) = barrier.enter(&context.gate).await else {
            return;
        };
        // Workers are not restarted, so a panic must not end one.
        if caught(|| worker.handle(&job.batch, job.index))
            .await
            .is_none()
        {
            worker.record_panic();
        }
        drop(running);
        context.notify_probe();
        tokio::task::consume_budget().await;
    }
}
