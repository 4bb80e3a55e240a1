//! Recorders that wait until the test opens their gate.

use redis_push::{Fault, Gap, Handler, Mount, Push, Spec};
use tokio::sync::watch;

use crate::support::{Journal, Recorder};

/// Waits for the gate before each message.
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

/// Waits for the gate before each gap.
struct GapGated {
    recorder: Recorder,
    gate: watch::Receiver<bool>,
}

impl Handler<()> for GapGated {
    fn spec(&self) -> Spec {
        self.recorder.spec()
    }

    async fn handle(&self, push: Push<'_>, state: &()) -> Result<(), Fault> {
        self.recorder.handle(push, state).await
    }

    async fn handle_gap(&self, gap: &Gap, state: &()) -> Result<(), Fault> {
        let _ = self.gate.clone().wait_for(|open| *open).await;
        self.recorder.handle_gap(gap, state).await
    }
}

pub(crate) fn gap_gated(spec: Spec) -> (Mount<()>, Journal, watch::Sender<bool>) {
    let (recorder, journal) = crate::support::new(spec);
    let (open, gate) = watch::channel(false);
    (Mount::new(GapGated { recorder, gate }), journal, open)
}
