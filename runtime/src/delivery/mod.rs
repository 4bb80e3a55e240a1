//! Delivery: the loop of each handler, from its receiver to the outcome of each delivery.
//!
//! Each mounted handler has one loop, [`run`], on a task of its own. The loop receives batches from
//! the handler's broadcast channel and delivers the pushes of each batch, one after the other:
//!
//! ```text
//! Receiver::recv
//!   │
//!   ▼
//! Received { gap, batch }
//!   │
//!   ├─ gap first ──▶ Handler::handle_gap, repeated until it succeeds
//!   │
//!   └─ then each push of the batch:
//!        template check ──▶ extractors ──▶ handler ──▶ OutcomeKind
//!              │                 │             │         ├──▶ counters
//!              ▼                 ▼             ▼         ├──▶ log (rate limited)
//!          unmatched         rejected       handled      └──▶ failure queue
//!                          or unmatched     failed
//!                                           skipped
//!                                           panicked
//!                                           timed_out
//! ```
//!
//! The loop ends when the channel is closed and empty, or when the [`PauseGate`] has ended. It
//! checks the gate before it receives and before each delivery: there it also waits during a pause, and
//! runs the gap handler if a resync is requested.
//!
//! | file | contents |
//! | --- | --- |
//! | `handler_loop` | [`run`]: the loop |
//! | `coop` | when the loop lets other tasks run |
//! | `worker` | one delivery, and the runs of the gap handler; panics are caught here |
//! | `attended`, `timings` | the timeout of a delivery, and its time; most handlers have neither |
//! | `instruments` | what may be observed of each delivery: its time and a span |
//! | `retry` | whether a delivery is repeated, and the wait before it |
//! | `layered` | [`Layered`]: a handler behind its layers |
//! | `executor`, `pool` | where the loop delivers: on its own task, or on a pool of workers |
//! | `barrier` | how the loop waits for running workers, and holds the others back |
//! | `partitioner`, `key` | which worker a key goes to, for `ordered_by` |
//! | `resume` | [`LoopState`]: what a restart continues from |
//! | `handlers` | [`Handlers`]: those that are mounted at present, and the counts of those that were |
//! | `context`, `counters`, `snapshot` | what the loop shares with others; the counts and their sum |
//! | `log_limits` | the limits of the handler's log lines |
//! | `sync_state` | which losses the gap handler has handled |
//! | `probed` | what the test kit is told |
//! | `pause` | [`PauseGate`]: pauses, requests for a resync, and the end |
//!
//! # In and out
//!
//! `subscriber` creates the [`HandlerContext`] and the [`LoopState`] of each handler, `router`
//! spawns [`run`] through `tasks`, and `broadcast` supplies the batches and the gaps. `subscriber`
//! also pauses, resumes and ends the loops, and requests resyncs. The results go to the [`Counters`], which `health` and
//! `telemetry` (through `snapshot`) read, to the log, and to the queue in `failure`.
//!
//! # Invariants
//!
//! - A gap is reported before the first message after it. No message is delivered between a gap and
//!   the success of its gap handler, nor between a request for a resync and the success of a run of the
//!   gap handler that began later.
//! - A counter has one writer at a time: the loop or the worker that owns it, or the watchdog for
//!   `stalls`.
//! - A panic of user code ends one delivery, not the loop. `worker` calls the handler through
//!   `util::catch_unwind`, which catches it.
//! - Without workers and layers, the loop allocates nothing for a delivery, and the future is not boxed.
//!
//! # Restarts
//!
//! If the loop itself panics, `tasks` calls [`run`] again. The [`LoopState`] survives: the receiver
//! with its position, the gaps that are not reported yet, and the set of worker tasks.
//! So does the [`HandlerContext`], with the counters, the gate and the rate limits of the log. The
//! rest of the batch and the deliveries that were under way are lost. They are counted `dropped` and
//! `cancelled`, and reported together as one gap ([`GapCause::Restarted`](crate::GapCause)) before
//! the next message.
//!
//! # Resyncs
//!
//! A request for a resync comes from [`Handle::resync`](crate::Handle::resync), or from the error of a
//! delivery ([`Fault::resync`](crate::Fault::resync)). The gate counts the requests. While there is one,
//! it lets no delivery begin, and the loop runs the gap handler with a gap of its own
//! ([`GapCause::Requested`](crate::GapCause)), also if it waits for a message. A run serves the requests
//! from before it began. Before the initial gap no request is served: that gap serves it. A restarted loop
//! finds the requests at the gate again.
//!
//! # Layers and retries
//!
//! A handler with layers is mounted as a [`Layered`], for which there is one loop in the program: the loops
//! of the other handlers know nothing of layers. A delivery that is repeated stays under way, so for
//! everyone else it is one that takes longer.
//!
//! # Workers
//!
//! With `workers = n`, the loop passes each push to one of `n` tasks instead of calling the
//! handler. The tasks share one queue; with `ordered_by`, each has a queue of its own, and all
//! pushes with the same key go to the same queue. At most four pushes for each worker, or one that
//! is large, are in flight, so the backlog stays in the broadcast channel, where its budget applies.
//! A gap is a barrier: the loop waits until no push is in flight, then reports the gap, then
//! continues. During a pause the pushes in flight wait, except those whose delivery has begun. So they do
//! while a resync is requested; the loop then waits only for the deliveries that have begun, and wherever
//! it waits for the others, it serves the request first. Each worker has its own counters.

mod attended;
mod barrier;
mod context;
mod coop;
mod counters;
mod executor;
#[cfg(test)]
mod filled;
mod handler_loop;
mod handlers;
mod instruments;
mod key;
mod layered;
mod log_limits;
mod partitioner;
mod pause;
mod pool;
mod probed;
mod resume;
mod retry;
mod snapshot;
mod sync_state;
mod timings;
mod worker;

pub(crate) use context::HandlerContext;
pub(crate) use counters::{Counters, add};
pub(crate) use handler_loop::run;
pub(crate) use handlers::{HandlerList, Handlers, Mounted};
pub(crate) use instruments::{Bare, InSpan, Observation, Surroundings};
pub(crate) use layered::Layered;
pub(crate) use pause::PauseGate;
#[cfg(feature = "testing")]
pub(crate) use probed::ending;
pub(crate) use resume::{LoopState, SharedLoopState};
pub(crate) use sync_state::Unhandled;
