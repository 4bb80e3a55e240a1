//! A handler that never waits, and counts its calls.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use redis_push::{Fault, Handler, Mount, Push, Spec};

struct Tireless {
    spec: Spec,
    calls: Arc<AtomicU64>,
    /// Dropped together with the handler.
    _alive: Arc<()>,
}

impl Handler<()> for Tireless {
    fn spec(&self) -> Spec {
        self.spec.clone()
    }

    async fn handle(&self, _push: Push<'_>, _state: &()) -> Result<(), Fault> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_micros(200) {
            std::hint::spin_loop();
        }
        self.calls.fetch_add(1, SeqCst);
        Ok(())
    }
}

/// The calls of one handler.
pub(crate) struct Calls {
    calls: Arc<AtomicU64>,
    alive: Weak<()>,
}

impl Calls {
    pub(crate) fn count(&self) -> u64 {
        self.calls.load(SeqCst)
    }

    /// Whether the handler is dropped, so that there are no more calls.
    pub(crate) fn is_over(&self) -> bool {
        self.alive.upgrade().is_none()
    }
}

pub(crate) fn tireless(spec: Spec) -> (Mount<()>, Calls) {
    let alive = Arc::new(());
    let calls = Calls {
        calls: Arc::default(),
        alive: Arc::downgrade(&alive),
    };
    let handler = Tireless {
        spec,
        calls: Arc::clone(&calls.calls),
        _alive: alive,
    };
    (Mount::new(handler), calls)
}
