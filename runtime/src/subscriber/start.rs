//! Puts a subscriber together: rings and routes, then the tasks.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Mutex, OnceCell, watch};

use super::Origin;
use super::Subscriber;
use super::handle::{Handle, Tasks};
use super::options::does_not_go_with_attach;
use crate::broadcast::{Budget, Overflow, Ring};
use crate::config::Settings;
use crate::connection::Side;
use crate::delivery::{Lane, Seat};
use crate::dispatch::{Feed, Routes};
use crate::error::{Error, Result};
use crate::failure;
use crate::failure::Failures;
use crate::handler::Spec;
use crate::health::{Deadline, Parts, Vitals};
use crate::link::{Link, Manager, Wire};
use crate::publish::Publisher;
use crate::router::{HandlerWiring, Mount, refuse_conflicts, refuse_foreign, refuse_unfilled};
use crate::session::{Pulse, Status, Supervisor, Tick};
use crate::subscription::Subscription;
use crate::tasks::{Keeper, TaskName};

/// How many failures may wait for the hook.
const FAILURES: usize = 1_024;

impl<S: Send + Sync + 'static> Subscriber<S> {
    /// Builds rings and routes, and starts the tasks. Every handler has its receiver before the
    /// supervisor can send the first subscribe command.
    pub(crate) fn spawn(self) -> Result<Handle> {
        let Self {
            state,
            mounts,
            config,
        } = self;
        if let Some(mistake) = config.mistake {
            return Err(Error::config(mistake));
        }
        if mounts.is_empty() {
            return Err(Error::config(
                "there is nothing to subscribe to: give `Subscriber::handlers` a handler",
            ));
        }
        let mistakes = mounts.iter().filter_map(|mount| mount.mistake.as_deref());
        let mistakes: Vec<_> = mistakes.collect();
        if !mistakes.is_empty() {
            return Err(Error::config(mistakes.join("\n")));
        }
        refuse_conflicts(mounts.iter().map(|mount| &mount.spec))?;
        refuse_unfilled(mounts.iter().map(|mount| &mount.spec))?;
        refuse_foreign(mounts.iter().map(|mount| &mount.spec))?;
        let (link, publisher) = config.origin.into_link(&config.settings)?;
        let publisher = config.publisher.unwrap_or(publisher);
        let failures = match &config.on_failure {
            Some(_) => Failures::with_room_for(FAILURES),
            None => Failures::default(),
        };
        let mut rings = Rings::default();
        let mut lanes = Vec::new();
        let mut loops = Vec::new();
        let state = Arc::new(state);
        for Mount { mut spec, bind, .. } in mounts {
            let spawn = bind(&state);
            spec.subscriptions.shrink_to_fit();
            let receiver = rings.for_spec(&spec)?.subscribe();
            let meter = receiver.meter();
            let lane = Arc::new(Lane::new(spec, failures.clone(), Some(publisher.clone())));
            loops.push((spawn, Seat::new(receiver), Arc::clone(&lane)));
            lanes.push((lane, meter));
        }
        let feed = Arc::new(Feed::new(rings.routes, &config.settings));
        let (status, watched) = watch::channel(Status::default());
        let (stop, stopped) = watch::channel(false);
        let keeper = Keeper::new();
        let pulse = Arc::new(Pulse::default());
        let tick = Arc::new(Tick::new());
        let vitals = Vitals::new(Parts {
            feed: Arc::clone(&feed),
            lanes: lanes.iter().map(|(lane, _)| Arc::clone(lane)).collect(),
            status: watched.clone(),
            stop: stopped.clone(),
            keeper: Arc::clone(&keeper),
            pulse: Arc::clone(&pulse),
            tick: Arc::clone(&tick),
            silence: config.settings.ping_interval + config.settings.ping_timeout,
        });
        let deadline = match config.settings.exit_if_deaf {
            Some(after) => Some(Deadline::begin(&vitals, after)?),
            None => None,
        };

        // Nothing fails from here on.
        for (lane, _) in &lanes {
            HandlerWiring::of(&lane.spec).log();
        }
        keeper.keep_itself();
        let watching = Arc::clone(&vitals);
        keeper.keep(TaskName::Watchdog, move |watched| {
            watched.spawn(Arc::clone(&watching).keep_watching())
        });
        let waking = Arc::clone(&feed);
        keeper.keep(TaskName::Waking, move |watched| {
            watched.spawn(Arc::clone(&waking).keep_waking())
        });
        let telling = config.on_failure.map(|hook| {
            let failures = failures.clone();
            keeper.keep(TaskName::Failures, move |watched| {
                watched.spawn(failure::run(failures.clone(), Arc::clone(&hook)))
            })
        });
        let seats = loops.iter().map(|(_, seat, _)| Arc::clone(seat)).collect();
        let loops = loops.into_iter().enumerate();
        let loops = loops.map(|(index, (spawn, seat, lane))| {
            keeper.keep_loop(index, lane.spec.name.clone(), move |watched| {
                spawn(watched, Arc::clone(&seat), Arc::clone(&lane))
            })
        });
        let loops = loops.collect();
        if let Some(forwarding) = link.forwarding() {
            let feed = Arc::clone(&feed);
            keeper.keep(TaskName::Forwarding, move |watched| {
                watched.spawn(Arc::clone(&forwarding).run(Arc::clone(&feed)))
            });
        }
        #[cfg(feature = "testing")]
        let fault = link.fault();
        let supervisor = Arc::new(Mutex::new(Supervisor {
            link,
            feed: Arc::clone(&feed),
            settings: config.settings,
            status,
            stop: stopped,
            pulse,
            last: 0,
            is_connected: false,
        }));
        let supervising = keeper.keep(TaskName::Supervisor, move |watched| {
            watched.spawn(Supervisor::run(Arc::clone(&supervisor), Arc::clone(&tick)))
        });
        Ok(Handle {
            feed,
            lanes,
            seats,
            status: watched,
            stop,
            keeper,
            tasks: Tasks {
                supervisor: supervising,
                loops,
                failures: telling,
            },
            failures,
            vitals,
            _deadline: deadline,
            report: OnceCell::new(),
            #[cfg(feature = "testing")]
            fault,
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

impl Origin {
    /// The link, and what publishes for the handlers: over a second connection, unless the
    /// connection is the user's.
    fn into_link(self, settings: &Settings) -> Result<(Link, Publisher)> {
        match self {
            Self::Attached(_) if settings.wire => {
                Err(Error::config(does_not_go_with_attach("wire")))
            }
            Self::Attached(attached) => {
                let publisher = Publisher::over(attached.manager());
                Ok((Link::Attached(attached), publisher))
            }
            Self::Endpoint(endpoint) => {
                let server = Arc::new(endpoint.into_server(settings.wire)?);
                let publisher = Publisher::own(Side::new(Arc::clone(&server)));
                let link = match settings.wire {
                    true => Link::Wire(Wire::new(server, settings.wire_wait)),
                    false => Link::Manager(Manager::new(server)),
                };
                Ok((link, publisher))
            }
        }
    }
}
