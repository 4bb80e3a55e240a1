//! The broadcast channel between the dispatcher and the handlers.
//!
//! All handlers with the same subscriptions and the same [`Budget`] read from the same broadcast
//! channel, [`Shared`]. The dispatcher appends a push once; each handler reads it through a
//! [`Receiver`] of its own, at its own speed. Pushes are stored in batches, so a reader pays for
//! locks, wake-ups and reference counts by the batch and not by the push.
//!
//! # Batch, position, segment
//!
//! ```text
//!               segment 1                              segment 2
//!   --------------------------------- |gap| -------------------------------->
//!
//!                  batch 4    batch 5        batch 6     batch 7, the open tail
//!               +------------+--------+   +------------+-----------
//!   0 .... 11   |  x  13  14 | 15  16 |   | 17  18  19 | 20  21
//!   dropped     +------------+--------+   +------------+-----------
//!       ^             ^                     ^            ^       ^
//!       |             |                     |            |       |
//!    reader A      oldest = 13           reader B     reader C  end = 22
//!    at push 7                           at push 17   at push 20
//! ```
//!
//! - Pushes are numbered from 0 in the order of their arrival, including those that are dropped.
//! - A *batch* holds consecutive pushes in one buffer. Batches are numbered too. All but the last
//!   one are sealed and do not change any more. The last one is the open *tail*, to which pushes
//!   are appended. The tail is sealed when a reader receives it, when it is full, when a segment
//!   begins, and when a push is dropped before it is stored, so that its number is skipped. The next
//!   push opens another one. (`x` is push 12, which was dropped; its memory is released with its batch.)
//! - A *position* is the batch and the push that a reader receives next. Dropping a push does not
//!   touch the readers. What a reader has *missed* is found at its next read: the number of the
//!   first push that is still here, minus the number at its position. Reader A has missed
//!   13 - 7 = 6 pushes. It receives a gap of exactly 6, together with batch 4, of which it skips
//!   the first push.
//! - A *segment* is the pushes between two gaps: within a segment, nothing was lost on the
//!   connection. A batch lies in one segment. Segment 1 begins with the first confirmation. A new
//!   segment begins with the first confirmation on each new connection, when a subscription that
//!   was denied or ended is confirmed again, and when pushes were lost before they reached this
//!   channel. Reader B was last in segment 1, so it receives the gap before segment 2, together
//!   with batch 6.
//! - Reader C receives the tail, which seals it. Push 22 will open batch 8.
//! - A *fence* is a time at which nothing was missing. A batch carries the one that was known when it
//!   was opened: its pushes, and those after it, were published later. A gap begins at the fence of
//!   the last batch that the reader has received, or earlier.
//!
//! # Readers
//!
//! The readers of handlers are there before the first push. Those of streams come and go: a reader
//! receives what is appended after it has joined, and begins with an initial gap as soon as the channel
//! is live. Each has a [`Pace`]: it may fall behind as far as the budget allows, or by fewer pushes, or
//! it jumps to the newest push. That moves its position only; nothing is copied for a reader.
//!
//! A channel may have many thousands of readers. Receiving, joining and leaving take the same time
//! whatever their number: each batch and each segment counts the readers that have yet to pass it.
//!
//! More than 64 are a [`Crowd`], which the dispatcher wakes a part at a time. Until all of them are awake, they
//! receive what had arrived before, and full batches. What arrives meanwhile stays in the tail, so that it becomes
//! one batch for all of them, and not one for each reader that happens to come first.
//!
//! There may be many thousands of channels too, most of them with one reader and nothing to read. So an
//! idle channel has no batch, a list with one element is in place ([`Few`](crate::util::Few)), what is
//! rare is boxed, and the channel of streams frees what it does not need when a reader waits.
//!
//! # Overflow
//!
//! The [`Overflow`] policy of the budget:
//!
//! - `DropOldest` drops the oldest pushes when the buffer is full: the numbers before `oldest`.
//! - `DropNewest` does not store a push that does not fit, but the push still gets a number.
//! - `Latest` stores only the newest push of each Redis channel. A replaced push has no number.
//!
//! A `Latest` buffer has one reader. Its pushes wait in a [`LatestQueue`](latest::LatestQueue)
//! until the reader asks, and then become the tail one at a time. If there are more Redis channels
//! than the budget has room for, the push that has waited longest is dropped. Its number is skipped,
//! so it counts as missed.
//!
//! One push is always accepted, however large it is. The wire link avoids drops for a while: instead
//! of appending to a full channel, it waits for room.
//!
//! A budget counts the bytes of the pushes that wait. Their memory is more: pages that are not full,
//! pushes that were dropped but whose batch is still needed, batches that readers have received. The
//! channel counts it as well ([`Held`]), at the change of a batch and not of a push. If all channels
//! together exceed the memory limit, the dispatcher releases unused memory and drops the oldest
//! pushes ([`Shared::shed`]), and if that is not enough, even the last one ([`Shared::empty`]),
//! whatever the policy.
//!
//! # Files
//!
//! | file | contents |
//! | --- | --- |
//! | `shared` | [`Shared`]: what the dispatcher appends to a channel, and what it frees |
//! | `names` | what the dispatcher reports of the names of a channel |
//! | `open` | batches that the dispatcher fills without the lock of their channel ([`OpenBatch`]) |
//! | `receiver` | [`Receiver`]: what a reader does; [`BacklogMeter`] |
//! | `state` | the state under the lock |
//! | `state/receive` | what a reader receives next, with its gap |
//! | `state/backlog` | what a reader has not received |
//! | `readers` | the readers, how far each may fall behind ([`Pace`]), and the wakers of those that wait |
//! | `crowd` | what readers receive while many of them are woken ([`Crowd`]) |
//! | `segments` | the gaps between segments; its `gap` merges them with a lag |
//! | `confirmations` | whether a gap is held back |
//! | `queue`, `queue/tail`, `queue/read` | the batches: appended, opened and sealed, received |
//! | `queue/readers` | which batches readers need, and the memory of those that they have received |
//! | `queue/overflow`, `queue/shed` | what is dropped: for one channel's budget, and for all memory |
//! | `latest` | the queue for [`Overflow::Latest`] |
//! | `common` | [`Common`]: what all channels of a dispatcher share |
//! | `budget`, `fence` | [`Budget`], [`Overflow`] and [`Held`]; [`Fence`](fence::Fence) |
//!
//! # In and out
//!
//! `dispatch` appends pushes, and reports confirmations, ended subscriptions and losses. The wire
//! link asks for room. `delivery` and `stream` receive a [`Received`] at a time. The [`Receiver`] has its
//! batch in hand until it is asked for the next one. The statistics read a [`BacklogMeter`].
//!
//! # Invariants
//!
//! - Appending never waits for a reader.
//! - A reader receives each push at most once and in order, and a gap before the first push after
//!   the gap. The pushes that it has received and those that it has missed add up to its position.
//! - The gap before a segment is held back until every subscription of the channel is confirmed or
//!   denied on the new connection, or the channel is closed.
//! - The tail's `Arc` has one owner until the tail is sealed, because pushes are appended to it in
//!   place. Readers receive clones of sealed batches only.
//! - A reader that waits for the rest of a crowd is woken when all are awake, or when the task ends that wakes
//!   them.
//! - No waker is woken under the lock. The wakers of readers are moved to the dispatcher, which
//!   wakes them after it has released its own lock too.

mod budget;
mod common;
mod concerned;
mod confirmations;
mod crowd;
mod fence;
mod latest;
mod names;
mod open;
mod queue;
mod readers;
mod receiver;
mod segments;
mod shared;
mod state;

pub use budget::Overflow;
pub(crate) use budget::{Budget, Held};
pub(crate) use common::Common;
pub(crate) use confirmations::Left;
pub(crate) use crowd::Crowd;
pub(crate) use open::OpenBatch;
pub(crate) use readers::Pace;
pub(crate) use receiver::{BacklogMeter, Receiver};
pub(crate) use segments::GapStart;
pub(crate) use shared::Shared;
pub(crate) use state::{Entered, Known, Received, Rest};

#[cfg(test)]
pub(crate) mod tests;
