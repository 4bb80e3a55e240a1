//! The open batches of an intake: the pushes that are accepted under one lock.
//!
//! Appending a message to a broadcast channel takes its lock. Where an intake has many messages for a channel, they
//! are gathered in an open batch beside the channel, without its lock, and handed over together: when the batch or
//! the channel has no more room, before anything but a message, before memory is shed, and at the end of the intake.
//! So no batch is open while the dispatcher is unlocked.
//!
//! An open batch costs more than a message or two. So the first messages for a channel are appended alone, unless
//! there were more in the intake before.

use std::time::SystemTime;

use super::DispatchState;
use crate::broadcast::{OpenBatch, Shared};
use crate::push::Page;
use crate::util::{Key, clock};

/// How many messages for a channel are appended alone before a batch is opened, if the intake before had no more.
const ALONE: u32 = 2;

/// How much memory may be kept in pages for the next batches.
const MAX_SPARE_BYTES: usize = 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Intake {
    /// The channels that have received something in this intake. Kept from intake to intake, so that it costs no
    /// allocation.
    touched: Vec<Touched>,
    /// Whether more than one push may come, so that it pays to open batches.
    is_gathering: bool,
    /// When the intake has begun, once that was asked for.
    begun: Option<SystemTime>,
    /// By how many bytes the memory of the channels has grown, as far as that was not looked at yet.
    grown: usize,
    /// Empty pages for the next batches.
    spares: Vec<Page>,
    spare_bytes: usize,
}

#[derive(Debug)]
struct Touched {
    batch: Option<OpenBatch>,
    /// How many messages it has received, without those in the batch.
    received: u32,
    /// A route of the channel, and which of its listeners that is.
    route: Key,
    listener: usize,
}

impl Intake {
    /// Appends a message to the open batch of a channel. Returns false if there is none, or no room in it.
    #[inline]
    pub(super) fn append(
        &mut self,
        shared: &Shared,
        index: u32,
        channel: &[u8],
        payload: &[u8],
    ) -> bool {
        let touched = shared
            .outlook()
            .touched_at()
            .and_then(|at| self.touched.get_mut(at));
        let batch = touched.and_then(|touched| touched.batch.as_mut());
        batch.is_some_and(|batch| batch.append(index, channel, payload))
    }

    /// Opens batches from now on, until the intake ends.
    pub(super) fn gather(&mut self) {
        self.is_gathering = true;
    }

    /// Returns how many channels have received something.
    pub(super) fn channels(&self) -> usize {
        self.touched.len()
    }

    /// Batches that are opened from now on have messages that have just arrived.
    pub(super) fn has_read_more(&mut self) {
        self.begun = None;
    }

    pub(super) fn add_grown(&mut self, bytes: usize) {
        self.grown += bytes;
    }

    /// Returns by how many bytes the memory of the channels has grown since the last call.
    pub(super) fn take_grown(&mut self) -> usize {
        std::mem::take(&mut self.grown)
    }

    /// Returns how much memory is kept for the next batches.
    pub(super) fn spare_bytes(&self) -> usize {
        self.spare_bytes
    }

    /// Releases that memory.
    pub(super) fn trim(&mut self) {
        self.spares = Vec::new();
        self.spare_bytes = 0;
    }

    /// Keeps a page for the next batches, and counts by how much the memory of a channel has grown.
    fn keep(&mut self, (grown, mut page): (usize, Page)) {
        self.grown += grown;
        if page.capacity() > 0 && self.spare_bytes + page.capacity() <= MAX_SPARE_BYTES {
            page.clear();
            self.spare_bytes += page.capacity();
            self.spares.push(page);
        }
    }

    fn spare(&mut self) -> Option<Page> {
        let page = self.spares.pop()?;
        self.spare_bytes -= page.capacity();
        Some(page)
    }
}

impl DispatchState {
    /// Makes room for a message of `bytes` in the open batch of a listener, which is handed over if it is full.
    /// Returns false if the message is to be appended alone.
    pub(super) fn open_for(&mut self, route: Key, listener: usize, bytes: usize) -> bool {
        let Self {
            routes,
            intake,
            wakeups,
            ..
        } = self;
        if !intake.is_gathering {
            return false;
        }
        let shared = &routes.routes[route].listeners[listener].shared;
        let outlook = shared.outlook();
        let at = match outlook.touched_at() {
            Some(at) => at,
            None => {
                let at = intake.touched.len();
                if !outlook.touch(at) {
                    return false;
                }
                intake.touched.push(Touched {
                    batch: None,
                    received: 0,
                    route,
                    listener,
                });
                at
            }
        };
        let touched = &mut intake.touched[at];
        if let Some(batch) = &mut touched.batch
            && let Some(grown) = batch.make_room(bytes)
        {
            intake.grown += grown;
            return true;
        }
        if let Some(full) = touched.batch.take() {
            touched.received += count(&full);
            intake.keep(shared.hand_over(full, &mut wakeups.wakers));
        } else if touched.received < ALONE && outlook.last_received() <= ALONE {
            touched.received += 1;
            return false;
        }
        let now = *intake.begun.get_or_insert_with(clock::wall);
        let opened = outlook.open(bytes, now, &routes.common.fence, || intake.spare());
        let touched = &mut intake.touched[at];
        let Some(mut batch) = opened else {
            touched.received += 1;
            return false;
        };
        intake.grown += batch.make_room(bytes).unwrap_or(0);
        touched.batch = Some(batch);
        self.last_heard = now;
        routes.add_holder(route);
        true
    }

    /// Hands all open batches over. Afterwards, routes may change.
    pub(super) fn hand_over(&mut self) {
        let mut touched = std::mem::take(&mut self.intake.touched);
        for one in touched.drain(..) {
            let shared = &self.routes.routes[one.route].listeners[one.listener].shared;
            let outlook = shared.outlook();
            outlook.untouch(one.received + one.batch.as_ref().map_or(0, count));
            if let Some(batch) = one.batch {
                let handed_over = shared.hand_over(batch, &mut self.wakeups.wakers);
                self.intake.keep(handed_over);
            }
        }
        self.intake.touched = touched;
    }

    /// Ends the intake.
    pub(super) fn end_intake(&mut self) {
        self.hand_over();
        self.intake.begun = None;
        self.intake.is_gathering = false;
    }
}

fn count(batch: &OpenBatch) -> u32 {
    u32::try_from(batch.len()).unwrap_or(u32::MAX)
}
