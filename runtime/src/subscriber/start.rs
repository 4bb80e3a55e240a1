//! Assembles a subscriber: the broadcast channels and their routes, the health monitor, then the tasks.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Notify, OnceCell};
use tokio_util::sync::CancellationToken;

use super::Subscriber;
use super::callers::Callers;
use super::mount::{check, listens_to_nothing, prefixed};
use super::mount_kit::MountKit;
use super::running::Running;
use crate::broadcast::{Budget, Overflow, Shared};
#[cfg(feature = "cache")]
use crate::cache::CacheContext;
use crate::delivery::Handlers;
use crate::dispatch::{Dispatcher, Placing, RoutingTable};
use crate::error::{Error, Result};
use crate::failure::{self, Failures, Limit};
use crate::handler::Spec;
use crate::health::{DeafWatch, HealthMonitor, Sources};
use crate::publish::Publisher;
use crate::push::Extensions;
use crate::router::HandlerWiring;
use crate::session::{Board, Surroundings};
#[cfg(feature = "testing")]
use crate::stream::StreamRegistry;
use crate::stream::SubscribeContext;
use crate::subscription::Subscription;
use crate::tasks::{TaskName, Tasks};

/// The number of failures that may wait for the hook.
const FAILURES: usize = 1_024;
/// The part of the memory limit that is theirs.
const FAILURES_PART: usize = 4;

impl<S: Send + Sync + 'static> Subscriber<S> {
    /// Builds everything and spawns the tasks. Every handler has its receiver before the session can
    /// send the first subscribe command.
    pub(super) fn assemble(self) -> Result<Running> {
        let Self {
            state,
            mounts,
            hooks,
            config,
        } = self;
        if let Some(mistake) = config.mistake {
            return Err(Error::config(mistake));
        }
        let mounts = prefixed(mounts, config.prefix.as_deref());
        check(&mounts, &[])?;
        let (source, commands) = config.origin.into_source(&config.settings)?;
        let publisher = config.publisher;
        let publisher = publisher.unwrap_or_else(|| Publisher::of(Arc::clone(&commands)));
        let publisher = publisher.or_spans(config.observation.spans.as_ref());
        let prefix = config.prefix;
        let all = publisher
            .clone()
            .prefix(prefix.as_deref().unwrap_or_default());
        let extensions = Extensions::default().with(all);
        let mut settings = config.settings;
        let failures = match &config.on_failure {
            Some(_) => {
                let bytes = settings.memory_limit / FAILURES_PART;
                settings.memory_limit -= bytes;
                let failures = FAILURES;
                Failures::within(Limit { failures, bytes })
            }
            None => Failures::default(),
        };
        let kit = MountKit {
            prefix: prefix.clone(),
            publisher,
            layers: config.layers,
            observation: config.observation,
            failures: failures.clone(),
            extensions,
            synced: Arc::new(Notify::new()),
            deadline: settings.start_deadline,
            allows_denied: settings.allows_denied,
            #[cfg(feature = "testing")]
            probe: config.probe.clone(),
        };
        let mut broadcasts = Broadcasts::new(source.placing(&config.settings));
        let mut handlers = Vec::new();
        let state = Arc::new(state);
        for mut mount in mounts {
            mount.spec.subscriptions.shrink_to_fit();
            let receiver = broadcasts.for_spec(&mount.spec)?.subscribe();
            handlers.push(kit.bind(mount, &state, receiver));
        }
        let dispatcher = Arc::new(Dispatcher::new(broadcasts.routes, &settings));
        let board = Arc::new(Board::default());
        let stop = CancellationToken::new();
        let tasks = Tasks::new(stop.clone());
        let mounted = Arc::new(Handlers::default());
        let monitor = HealthMonitor::new(Sources {
            dispatcher: Arc::clone(&dispatcher),
            handlers: Arc::clone(&mounted),
            synced: Arc::clone(&kit.synced),
            status: board.subscribe(),
            stop: stop.clone(),
            tasks: Arc::clone(&tasks),
            board: Arc::clone(&board),
            silence: config.settings.ping_interval + config.settings.ping_timeout,
        });
        let deaf_watch = match config.settings.exit_if_deaf {
            Some(after) => Some(DeafWatch::begin(&monitor, after)?),
            None => None,
        };

        // Nothing below can fail.
        let mut background = Vec::new();
        let watching = Arc::clone(&monitor);
        background.push(tasks.spawn(TaskName::Watchdog, move || {
            Arc::clone(&watching).keep_watching()
        }));
        let waking = Arc::clone(&dispatcher);
        background.push(tasks.spawn(TaskName::Wakeups, move || Arc::clone(&waking).keep_waking()));
        let failure_hook = config.on_failure.map(|hook| {
            let failures = failures.clone();
            tasks.spawn(TaskName::FailureHook, move || {
                failure::run(failures.clone(), Arc::clone(&hook))
            })
        });
        let handlers = handlers.into_iter();
        mounted.add(handlers.map(|bound| {
            HandlerWiring::of(bound.spec()).log();
            bound.spawn(&tasks, &mounted)
        }));
        let around = Surroundings {
            dispatcher: Arc::clone(&dispatcher),
            settings: config.settings,
            board: Arc::clone(&board),
            tasks: Arc::clone(&tasks),
            stop: stop.clone(),
        };
        let sessions = source.spawn(around, &mut background);
        let streams = SubscribeContext {
            dispatcher: Arc::clone(&dispatcher),
            #[cfg(feature = "testing")]
            registry: Arc::new(StreamRegistry::probed(config.probe)),
            #[cfg(not(feature = "testing"))]
            registry: Arc::default(),
            status: board.subscribe(),
            deadline: settings.start_deadline,
            max_streams: settings.max_streams,
            prefix,
        };
        #[cfg(feature = "cache")]
        let caches = CacheContext {
            streams: streams.clone(),
            commands,
            registry: Arc::default(),
        };
        Ok(Running {
            dispatcher,
            streams,
            #[cfg(feature = "cache")]
            caches,
            handlers: mounted,
            kit,
            sessions: sessions.tasks,
            failure_hook,
            background,
            tasks,
            stop,
            stopped: CancellationToken::new(),
            status: board.subscribe(),
            failures,
            board,
            monitor,
            _deaf_watch: deaf_watch,
            drain_deadline: settings.drain_deadline,
            callers: Callers::default(),
            hooks: hooks.bind(&state),
            report: OnceCell::new(),
            #[cfg(feature = "testing")]
            fences: sessions.fences,
        })
    }
}

/// The broadcast channels and the routes to them.
///
/// Handlers with the same list of subscriptions and the same budget share a channel. A channel with
/// `overflow = "latest"` is never shared.
#[derive(Default)]
pub(crate) struct Broadcasts {
    pub(crate) routes: RoutingTable,
    by_key: HashMap<(Vec<Subscription>, Budget), Arc<Shared>>,
}

impl Broadcasts {
    /// Creates an empty table of names that are placed in this way.
    pub(crate) fn new(placing: Placing) -> Self {
        Self {
            routes: RoutingTable::new(placing),
            by_key: HashMap::new(),
        }
    }

    /// Returns the channel for a handler, and creates it if there is none to share.
    pub(crate) fn for_spec(&mut self, spec: &Spec) -> Result<Arc<Shared>> {
        if spec.subscriptions.is_empty() {
            return Err(listens_to_nothing(spec));
        }
        let new = |routes: &mut RoutingTable| {
            let shared = Arc::new(Shared::new(spec.subscriptions.len(), spec.budget));
            routes.add(&shared, &spec.subscriptions);
            shared
        };
        // Handlers read at different speeds: the message that is new to one of them may already have
        // been read by another, so a latest queue has one reader.
        if spec.budget.overflow == Overflow::Latest {
            return Ok(new(&mut self.routes));
        }
        let key = (spec.subscriptions.clone(), spec.budget);
        let shared = self.by_key.entry(key);
        Ok(Arc::clone(shared.or_insert_with(|| new(&mut self.routes))))
    }
}
