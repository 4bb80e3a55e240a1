//! A handler that never waits once it has begun, and counts its calls.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use redis_push::{Fault, Handler, Mount, Push, Spec};
use tokio::sync::watch;

struct Tireless {
    spec: Spec,
    calls: Arc<AtomicU64>,
    /// It begins when this is true.
    begins: watch::Receiver<bool>,
    /// Dropped together with the handler.
    _alive: Arc<()>,
}

impl Handler<()> for Tireless {
    fn spec(&self) -> Spec {
        self.spec.clone()
    }

    async fn handle(&self, _push: Push<'_>, _state: &()) -> Result<(), Fault> {
        if !*self.begins.borrow() {
            let _ = self.begins.clone().wait_for(|begins| *begins).await;
        }
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
    begin: watch::Sender<bool>,
    alive: Weak<()>,
}

impl Calls {
    /// Lets the handler begin.
    pub(crate) fn begin(&self) {
        self.begin.send_replace(true);
    }

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
    let (begin, begins) = watch::channel(false);
    let calls = Calls {
        calls: Arc::default(),
        begin,
        alive: Arc::downgrade(&alive),
    };
    let handler = Tireless {
        spec,
        calls: Arc::clone(&calls.calls),
        begins,
        _alive: alive,
    };
    (Mount::new(handler), calls)
}
