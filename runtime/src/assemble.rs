//! Puts a subscriber together: rings and routes, then the tasks.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Mutex, OnceCell, watch};

use crate::error::{Error, Result};
use crate::feed::Feed;
use crate::handle::{Handle, Tasks};
use crate::mount::{Lane, Mount};
use crate::ring::Ring;
use crate::routes::Routes;
use crate::spec::{Budget, Overflow, Spec};
use crate::subscriber::Subscriber;
use crate::subscription::Subscription;
use crate::supervisor::{Status, Supervisor};

impl<S: Send + Sync + 'static> Subscriber<S> {
    /// Builds rings and routes, and starts the tasks. Every handler has its receiver before the
    /// supervisor can send the first subscribe command.
    pub(crate) fn spawn(self) -> Result<Handle> {
        if let Some(mistake) = self.mistake {
            return Err(Error::config(mistake));
        }
        if self.mounts.is_empty() {
            return Err(Error::config(
                "there is nothing to subscribe to: give `Subscriber::handlers` a handler",
            ));
        }
        let wire = self.settings.wire.then_some(self.settings.wire_wait);
        let link = self.target.into_link(self.options, wire)?;
        let state = Arc::new(self.state);
        let mut rings = Rings::default();
        let mut lanes = Vec::new();
        let mut tasks = Tasks::default();
        for Mount { spec, spawn, .. } in self.mounts {
            let receiver = rings.for_spec(&spec)?.subscribe();
            let meter = receiver.meter();
            let lane = Arc::new(Lane::new(spec));
            let task = spawn(receiver, Arc::clone(&state), Arc::clone(&lane));
            tasks.handlers.push(task);
            lanes.push((lane, meter));
        }
        let feed = Arc::new(Feed::new(rings.routes, &self.settings));
        tasks.waking = Some(tokio::spawn(Arc::clone(&feed).keep_waking()));
        let (status, watched) = watch::channel(Status::default());
        let (stop, stopped) = watch::channel(false);
        let supervisor = Supervisor {
            link,
            feed: Arc::clone(&feed),
            settings: self.settings,
            status,
            stop: stopped,
        };
        tasks.supervisor = Some(tokio::spawn(supervisor.run()));
        Ok(Handle {
            feed,
            lanes,
            status: watched,
            stop,
            tasks: Mutex::new(tasks),
            report: OnceCell::new(),
        })
    }
}

/// The rings, one for each list of subscriptions and budget, and the routes to them. A mailbox is
/// one handler's own.
#[derive(Default)]
pub(crate) struct Rings {
    pub(crate) routes: Routes,
    by_key: HashMap<(Vec<Subscription>, Budget), Arc<Ring>>,
}

impl Rings {
    pub(crate) fn for_spec(&mut self, spec: &Spec) -> Result<Arc<Ring>> {
        if spec.subscriptions.is_empty() {
            let name = &spec.name;
            return Err(Error::config(format!(
                "the handler `{name}` listens to nothing: give its `Spec` a subscription"
            )));
        }
        let new = |routes: &mut Routes| {
            let ring = Arc::new(Ring::new(spec.subscriptions.len(), spec.budget));
            routes.add(&ring, &spec.subscriptions);
            ring
        };
        // What is the newest for one handler may be known to another, so a mailbox is one's own.
        if spec.budget.overflow == Overflow::Latest {
            return Ok(new(&mut self.routes));
        }
        let key = (spec.subscriptions.clone(), spec.budget);
        let ring = self.by_key.entry(key);
        Ok(Arc::clone(ring.or_insert_with(|| new(&mut self.routes))))
    }
}
