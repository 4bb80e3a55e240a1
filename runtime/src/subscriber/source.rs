//! What a subscriber connects to, and the sessions that do.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::Origin;
use super::options::not_with_attach;
use crate::config::Settings;
use crate::connection::slots::Slot;
use crate::connection::{
    ClusterConnection, CommandConnection, Destination, LazyConnection, Seeds, Servers,
};
use crate::dispatch::Placing;
use crate::error::{Error, Result};
use crate::link::{Link, Own, Transport};
use crate::push::{Generation, NodeId};
#[cfg(feature = "testing")]
use crate::session::Fences;
use crate::session::{Coordinator, Outage, Places, Session, Surroundings};
use crate::tasks::{Task, TaskName};
use crate::util::RateLimit;

/// Where the pushes come from.
pub(super) enum Source {
    /// One link or several to one server, or an attached one.
    Links(Vec<Link>),
    /// The nodes of a cluster.
    Cluster {
        seeds: Seeds,
        transport: Transport,
        places: Arc<Places>,
    },
}

/// The tasks of the sessions, or the one that coordinates them.
pub(super) struct Sessions {
    pub(super) tasks: Vec<Task>,
    /// Where the test kit requests fences of each.
    #[cfg(feature = "testing")]
    pub(super) fences: Vec<Fences>,
}

impl Origin {
    /// Returns the source, and the connection for other commands: a second one, or that of the attached
    /// manager.
    pub(super) fn into_source(
        self,
        settings: &Settings,
    ) -> Result<(Source, Arc<CommandConnection>)> {
        match self {
            Self::Attached(_) if settings.wire => Err(Error::config(not_with_attach("wire"))),
            Self::Attached(_) if settings.links > 1 => Err(Error::config(not_with_attach("links"))),
            Self::Attached(attached) => {
                let commands = CommandConnection::attached(attached.manager());
                let links = vec![Link::Attached(attached)];
                Ok((Source::Links(links), Arc::new(commands)))
            }
            Self::Endpoint(endpoint) => match endpoint.into_servers(settings.wire)? {
                Servers::One(to) => Ok(links_to(to, settings)),
                Servers::Cluster(_) if settings.links > 1 => Err(Error::config(
                    "`links` cannot be used with `cluster`: there is one link to each node",
                )),
                Servers::Cluster(seeds) => {
                    let interval = settings.topology_interval;
                    let nodes = ClusterConnection::new(seeds.clone(), interval);
                    let commands = CommandConnection::Cluster(nodes);
                    let source = Source::Cluster {
                        seeds,
                        // With redis-rs between, an unexpected `sunsubscribe` is taken for the reply to
                        // another command. The wire link keeps it away from redis-rs.
                        transport: Transport::Wire {
                            wait: settings.wire_wait,
                        },
                        places: Arc::new(Places::new()),
                    };
                    Ok((source, Arc::new(commands)))
                }
            },
        }
    }
}

/// Returns links to one server, and another connection to it.
fn links_to(to: Destination, settings: &Settings) -> (Source, Arc<CommandConnection>) {
    let commands = CommandConnection::Own(LazyConnection::new(to.clone()));
    let transport = if settings.wire {
        Transport::Wire {
            wait: settings.wire_wait,
        }
    } else {
        Transport::Manager
    };
    let links = (0..settings.links).map(|_| Link::Own(Own::new(to.clone(), transport)));
    (Source::Links(links.collect()), Arc::new(commands))
}

impl Source {
    /// Returns how the names are placed.
    pub(super) fn placing(&self, settings: &Settings) -> Placing {
        match self {
            Self::Links(_) => Placing::Hashed(settings.links),
            Self::Cluster { places, .. } => {
                let places = Arc::clone(places);
                Placing::With(Arc::new(move |_, name| places.get(Slot::of(name))))
            }
        }
    }

    /// Spawns the sessions.
    pub(super) fn spawn(self, around: Surroundings, background: &mut Vec<Task>) -> Sessions {
        match self {
            Self::Links(links) => spawn_links(links, &around, background),
            Self::Cluster {
                seeds,
                transport,
                places,
            } => {
                let tasks = Arc::clone(&around.tasks);
                let coordinator = Coordinator::new(seeds, transport, places, around);
                let coordinator = Arc::new(Mutex::new(coordinator));
                let task = tasks.spawn(TaskName::Session, move || {
                    Coordinator::run(Arc::clone(&coordinator))
                });
                Sessions {
                    tasks: vec![task],
                    #[cfg(feature = "testing")]
                    fences: Vec::new(),
                }
            }
        }
    }
}

fn spawn_links(links: Vec<Link>, around: &Surroundings, background: &mut Vec<Task>) -> Sessions {
    let Surroundings {
        dispatcher,
        settings,
        board,
        tasks,
        stop,
    } = around;
    if let Some(forwarding) = links.iter().find_map(Link::forwarding) {
        let dispatcher = Arc::clone(dispatcher);
        background.push(tasks.spawn(TaskName::Forwarding, move || {
            Arc::clone(&forwarding).run(Arc::clone(&dispatcher))
        }));
    }
    let nodes = links.len();
    let published: Vec<_> = (0..nodes).map(|node| board.add(NodeId::at(node))).collect();
    let has_warned = Arc::default();
    #[cfg(feature = "testing")]
    let fences: Vec<_> = (0..nodes).map(|_| Fences::default()).collect();
    let each = links.into_iter().zip(published).enumerate();
    let sessions = each.map(|(index, (link, published))| {
        let node = NodeId::at(index);
        if let Some(sentinels) = link.sentinels() {
            board.learn_sentinels(sentinels);
        }
        let address = link.address();
        let number = (nodes > 1).then_some(index as u64 + 1);
        let session = Arc::new(Mutex::new(Session {
            node,
            link,
            dispatcher: Arc::clone(dispatcher),
            settings: *settings,
            board: Arc::clone(board),
            stop: stop.clone(),
            heartbeat: published.heartbeat,
            last: Generation::before_first(node),
            is_connected: false,
            has_warned: Arc::clone(&has_warned),
            denied_streams: RateLimit::new("streams", "subscription denied"),
            outage: Outage::new(number),
            notices: None,
            #[cfg(feature = "testing")]
            fences: fences[index].clone(),
        }));
        let last_seen = published.last_seen;
        board.learn_address(node, address);
        board.learn_link(node, number);
        tasks.spawn(TaskName::Session, move || {
            Session::run(Arc::clone(&session), Arc::clone(&last_seen))
        })
    });
    Sessions {
        tasks: sessions.collect(),
        #[cfg(feature = "testing")]
        fences,
    }
}
