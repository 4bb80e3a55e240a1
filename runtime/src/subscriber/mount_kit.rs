//! What a subscriber gives to each handler, and the start of its loop.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::broadcast::{BacklogMeter, Receiver};
use crate::delivery::{HandlerContext, Handlers, LoopState, Mounted, Observation, SharedLoopState};
use crate::failure::Failures;
use crate::handler::{Layers, Spec};
#[cfg(feature = "testing")]
use crate::probe::SharedProbe;
use crate::publish::Publisher;
use crate::push::Extensions;
use crate::router::{Mount, Spawn};
use crate::tasks::Tasks;

/// What a subscriber gives to each handler.
pub(super) struct MountKit {
    /// What comes before every name.
    pub(super) prefix: Option<Arc<str>>,
    pub(super) publisher: Publisher,
    /// The layers around all handlers.
    pub(super) layers: Layers,
    pub(super) observation: Observation,
    pub(super) failures: Failures,
    /// The values for all handlers: the publisher with the prefix of the subscriber.
    pub(super) extensions: Extensions,
    /// Notified when a gap handler has succeeded or failed.
    pub(super) synced: Arc<Notify>,
    /// How long a mount waits for its confirmations.
    pub(super) deadline: Option<Duration>,
    pub(super) allows_denied: bool,
    /// What the test kit observes the handlers with.
    #[cfg(feature = "testing")]
    pub(super) probe: Option<SharedProbe>,
}

/// A handler with its state and its receiver, whose loop does not run yet.
pub(super) struct Bound {
    spawn: Spawn,
    context: Arc<HandlerContext>,
    loop_state: SharedLoopState,
    meter: BacklogMeter,
}

impl MountKit {
    /// Gives a handler its state and its receiver. The user's code that this needs runs here.
    pub(super) fn bind<S>(&self, mut mount: Mount<S>, state: &Arc<S>, receiver: Receiver) -> Bound {
        let meter = receiver.meter();
        self.layers.put_around(&mut mount.spec.layers);
        let own = Some(mount.prefix).filter(|prefix| Some(&**prefix) != self.prefix.as_deref());
        let extensions = match own.filter(|prefix| !prefix.is_empty()) {
            Some(prefix) => Extensions::default().with(self.publisher.clone().prefix(prefix)),
            None => self.extensions.clone(),
        };
        let context = HandlerContext::new(
            mount.spec,
            self.failures.clone(),
            extensions,
            Arc::clone(&self.synced),
        )
        .observed(&self.observation);
        #[cfg(feature = "testing")]
        let context = HandlerContext {
            probe: self.probe.clone(),
            ..context
        };
        Bound {
            spawn: (mount.bind)(state),
            context: Arc::new(context),
            loop_state: LoopState::new(receiver),
            meter,
        }
    }
}

impl Bound {
    pub(super) fn spec(&self) -> &Spec {
        &self.context.spec
    }

    /// Spawns the loop of what is to be one of the handlers.
    pub(super) fn spawn(self, tasks: &Arc<Tasks>, handlers: &Handlers) -> Arc<Mounted> {
        let Self {
            spawn,
            context,
            loop_state,
            meter,
        } = self;
        Arc::new(Mounted {
            number: handlers.number(),
            task: spawn(tasks, Arc::clone(&loop_state), Arc::clone(&context)),
            context,
            loop_state,
            meter,
        })
    }
}
