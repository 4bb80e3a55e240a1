//! A handler that ends in every possible way, at random, and counts how it ended.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis_push::{
    Fault, Gap, Handler, HandlerStats, Kind, Mount, Overflow, Push, Rejection, Retry, Spec,
    Subscription,
};
use tokio::time::sleep;

use crate::panics::ASKED;
use crate::whim::Whim;

/// How often a handler does something, in percent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Odds {
    fails: u8,
    panics: u8,
    rejects: u8,
    unmatched: u8,
    sleeps: u8,
    yields: u8,
    fails_gap: u8,
}

impl Odds {
    pub(crate) fn any(rng: &mut fastrand::Rng) -> Self {
        let mut rare = || if rng.bool() { 0 } else { rng.u8(..25) };
        Self {
            fails: rare(),
            panics: rare(),
            rejects: rare(),
            unmatched: rare(),
            sleeps: rare() / 6,
            yields: rare() * 2,
            fails_gap: rare() / 8,
        }
    }
}

/// The outcomes that a handler has counted itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(Arc<[AtomicU64; 6]>);

#[derive(Clone, Copy)]
pub(crate) enum End {
    Handled,
    Failed,
    Panicked,
    Rejected,
    Unmatched,
    Skipped,
}

impl Counts {
    pub(crate) fn add(&self, end: End) {
        self.0[end as usize].fetch_add(1, Relaxed);
    }

    /// Whether the library has counted the same. The library's `unmatched` may be higher, because a
    /// push that the template does not match never reaches the handler. And the handler has counted each
    /// attempt that failed, those that were repeated too.
    pub(crate) fn are_those_of(&self, stats: &HandlerStats) -> bool {
        let [handled, failed, panicked, rejected, unmatched, skipped] =
            self.0.each_ref().map(|count| count.load(Relaxed));
        let most_failed = stats.failed + stats.retries + stats.cancelled;
        let has_retried = stats.retries + stats.cancelled > 0;
        (handled, panicked, rejected, skipped)
            == (stats.handled, stats.panicked, stats.rejected, stats.skipped)
            && (failed == stats.failed
                || has_retried && (stats.failed..=most_failed).contains(&failed))
            && unmatched <= stats.unmatched
    }
}

pub(crate) struct Chaos {
    spec: Spec,
    subscriptions: Vec<Subscription>,
    odds: Odds,
    rng: Mutex<fastrand::Rng>,
    counts: Counts,
    /// Whether a layer counts the outcomes, except panics of this.
    has_layer: bool,
}

impl Chaos {
    pub(crate) fn new(
        name: String,
        subscriptions: Vec<Subscription>,
        buffer: usize,
        odds: Odds,
        seed: u64,
    ) -> Self {
        let spec = Spec::new(name).buffer(buffer);
        Self {
            spec: subscriptions.iter().cloned().fold(spec, Spec::on),
            subscriptions,
            odds,
            rng: Mutex::new(fastrand::Rng::with_seed(seed)),
            counts: Counts::default(),
            has_layer: false,
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts.clone()
    }

    pub(crate) fn mount(self) -> Mount<()> {
        Mount::new(self)
    }

    /// Chooses policies at random.
    pub(crate) fn with_policies(mut self, rng: &mut fastrand::Rng) -> Self {
        self.spec = match rng.u8(..4) {
            0 => self.spec.overflow(Overflow::DropNewest),
            1 => self.spec.overflow(Overflow::Latest),
            _ => self.spec,
        };
        if rng.u8(..3) == 0 {
            self.spec = self.spec.workers(rng.usize(2..6));
            if rng.bool() {
                self.spec = self.spec.ordered_by("one");
            }
        }
        if rng.u8(..4) == 0 {
            self.spec = self.spec.timeout(Duration::from_millis(1));
        }
        if rng.u8(..4) == 0 {
            let retry = Retry::times(rng.u32(1..4)).delay(Duration::from_micros(200));
            self.spec = self.spec.retry(retry);
        }
        if rng.u8(..3) == 0 {
            self.has_layer = true;
            let whim = Whim::new(self.counts(), rng);
            self.spec = self.spec.around(whim);
        }
        self
    }

    /// Whether a message on this channel reaches the handler.
    pub(crate) fn hears(&self, channel: &str) -> bool {
        self.subscriptions
            .iter()
            .any(|subscription| match subscription.kind() {
                Kind::Pattern => true,
                _ => subscription.name() == channel,
            })
    }

    /// A random number below a hundred.
    fn roll(&self) -> u8 {
        self.rng
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .u8(..100)
    }

    fn happens(&self, odds: u8) -> bool {
        odds > 0 && self.roll() < odds
    }
}

impl Handler<()> for Chaos {
    fn spec(&self) -> Spec {
        self.spec.clone()
    }

    async fn handle(&self, _push: Push<'_>, _state: &()) -> Result<(), Fault> {
        let ended = self.end().await;
        // A layer counts what it returns.
        if !self.has_layer {
            self.counts.add(match &ended {
                Ok(()) => End::Handled,
                Err(Fault::Rejected(rejection)) if rejection.is_unmatched() => End::Unmatched,
                Err(Fault::Rejected(_)) => End::Rejected,
                Err(_) => End::Failed,
            });
        }
        ended
    }

    async fn handle_gap(&self, _gap: &Gap, _state: &()) -> Result<(), Fault> {
        if self.happens(self.odds.fails_gap) {
            Err(Fault::failed("by chance"))
        } else {
            Ok(())
        }
    }
}

impl Chaos {
    /// Ends a delivery in one of the ways, at random.
    async fn end(&self) -> Result<(), Fault> {
        let Odds {
            fails,
            panics,
            rejects,
            unmatched,
            sleeps,
            yields,
            ..
        } = self.odds;
        if self.happens(sleeps) {
            sleep(Duration::from_millis(1)).await;
        }
        if self.happens(yields) {
            tokio::task::yield_now().await;
        }
        if self.happens(rejects) {
            return Err(Fault::Rejected(Rejection::new("by chance")));
        }
        if self.happens(unmatched) {
            return Err(Fault::Rejected(Rejection::unmatched("by chance")));
        }
        if self.happens(fails) {
            return Err(Fault::failed("by chance"));
        }
        if self.happens(panics) {
            self.counts.add(End::Panicked);
            panic!("{ASKED}");
        }
        Ok(())
    }
}
