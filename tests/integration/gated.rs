//! A recorder that waits before a gate with every message until the gate is open.

use redis_push::{Fault, Gap, Handler, Mount, Push, Spec};
use tokio::sync::watch;

use crate::support::{Journal, Recorder};

struct Gated {
    recorder: Recorder,
    gate: watch::Receiver<bool>,
}

impl Handler<()> for Gated {
    fn spec(&self) -> Spec {
        self.recorder.spec()
    }

    async fn handle(&self, push: Push<'_>, state: &()) -> Result<(), Fault> {
        let _ = self.gate.clone().wait_for(|open| *open).await;
        self.recorder.handle(push, state).await
    }

    async fn handle_gap(&self, gap: &Gap, state: &()) -> Result<(), Fault> {
        self.recorder.handle_gap(gap, state).await
    }
}

pub(crate) fn gated(spec: Spec, gate: watch::Receiver<bool>) -> (Mount<()>, Journal) {
    let (recorder, journal) = crate::support::new(spec);
    (Mount::new(Gated { recorder, gate }), journal)
}
