//! A layer that skips, repeats, fails and panics at random, and counts what it returns.

use std::sync::{Mutex, PoisonError};

use redis_push::{Delivery, Layer, Next, Outcome};

use crate::chaos::{Counts, End};
use crate::panics::ASKED;

pub(crate) struct Whim {
    counts: Counts,
    rng: Mutex<fastrand::Rng>,
    /// How likely each is, in percent.
    skips: u8,
    repeats: u8,
    fails: u8,
    panics: u8,
}

impl Whim {
    pub(crate) fn new(counts: Counts, rng: &mut fastrand::Rng) -> Self {
        let mut rare = || if rng.bool() { 0 } else { rng.u8(..25) };
        Self {
            skips: rare(),
            repeats: rare(),
            fails: rare(),
            panics: rare() / 4,
            counts,
            rng: Mutex::new(rng.fork()),
        }
    }

    fn happens(&self, odds: u8) -> bool {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        odds > 0 && rng.u8(..100) < odds
    }
}

impl Layer for Whim {
    async fn call(&self, delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
        if delivery.is_gap() {
            // A gap that is skipped is reported all the same.
            return match self.happens(self.skips) {
                true => Outcome::skipped(),
                false => next.run(delivery).await,
            };
        }
        let mut outcome = if self.happens(self.skips) {
            Outcome::skipped()
        } else {
            next.run(delivery).await
        };
        while self.happens(self.repeats) {
            outcome = next.run(delivery).await;
        }
        if self.happens(self.fails) {
            outcome = Outcome::failed("by a whim");
        }
        if self.happens(self.panics) {
            self.counts.add(End::Panicked);
            panic!("{ASKED}");
        }
        self.counts.add(match outcome.as_str() {
            "handled" => End::Handled,
            "skipped" => End::Skipped,
            "unmatched" => End::Unmatched,
            "rejected" => End::Rejected,
            _ => End::Failed,
        });
        outcome
    }
}
