//! What a subscriber connects to, and the sessions that do.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::Origin;
use super::options::not_with_attach;
use crate::config::Settings;
use crate::connection::slots::Slot;
use crate::connection::{
    ClusterConnection, CommandConnection, Endpoint, LazyConnection, NodeAddress, Server,
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
        seeds: Vec<Arc<Server>>,
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
        let wait = settings.wire_wait;
        match self {
            Self::Attached(_) if settings.wire => Err(Error::config(not_with_attach("wire"))),
            Self::Attached(_) if settings.links > 1 => Err(Error::config(not_with_attach("links"))),
            Self::Attached(attached) => {
                let commands = CommandConnection::attached(attached.manager());
                let links = vec![Link::Attached(attached)];
                Ok((Source::Links(links), Arc::new(commands)))
            }
            Self::Endpoint(endpoint) => {
                let to = endpoint.into_destination(settings.wire)?;
                let commands = CommandConnection::Own(LazyConnection::new(to.clone()));
                let transport = if settings.wire {
                    Transport::Wire { wait }
                } else {
                    Transport::Manager
                };
                let links = (0..settings.links).map(|_| Link::Own(Own::new(to.clone(), transport)));
                Ok((Source::Links(links.collect()), Arc::new(commands)))
            }
            Self::Cluster(..) if settings.links > 1 => Err(Error::config(
                "`links` cannot be used with `cluster`: there is one link to each node",
            )),
            Self::Cluster(endpoint, others) => {
                // With redis-rs between, an unexpected `sunsubscribe` is taken for the reply to another
                // command. The wire link keeps it away from redis-rs.
                let first = endpoint.into_server(true)?;
                if first.has_database() {
                    return Err(Error::config(
                        "a cluster has no databases but the first: remove the number from the URL",
                    ));
                }
                let others: Vec<_> = others
                    .iter()
                    .map(|url| address_of(url))
                    .collect::<Result<_>>()?;
                let others = others.iter().map(|address| first.at(address).map(Arc::new));
                let others: Vec<_> = others.collect::<Result<_>>()?;
                let seeds: Vec<_> = [first].into_iter().chain(others).collect();
                let nodes = ClusterConnection::new(seeds.clone(), settings.topology_interval);
                let commands = CommandConnection::Cluster(nodes);
                let source = Source::Cluster {
                    seeds,
                    transport: Transport::Wire { wait },
                    places: Arc::new(Places::new()),
                };
                Ok((source, Arc::new(commands)))
            }
        }
    }
}

fn address_of(url: &str) -> Result<NodeAddress> {
    let server = Endpoint::new(url).into_server(true)?;
    server.node_address().ok_or_else(|| {
        Error::config(
            "the nodes of a cluster are not reached over a unix socket: use a `redis://` URL",
        )
    })
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
    pub(super) fn spawn(
        self,
        around: Surroundings,
        background: &mut Vec<Task>,
    ) -> Result<Sessions> {
        match self {
            Self::Links(links) => Ok(spawn_links(links, &around, background)),
            Self::Cluster {
                seeds,
                transport,
                places,
            } => {
                let tasks = Arc::clone(&around.tasks);
                let coordinator = Coordinator::new(&seeds, transport, places, around)?;
                let coordinator = Arc::new(Mutex::new(coordinator));
                let task = tasks.spawn(TaskName::Session, move || {
                    Coordinator::run(Arc::clone(&coordinator))
                });
                Ok(Sessions {
                    tasks: vec![task],
                    #[cfg(feature = "testing")]
                    fences: Vec::new(),
                })
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
        let address = link.address();
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
            outage: Outage::new((nodes > 1).then_some(index as u64 + 1)),
            notices: None,
            #[cfg(feature = "testing")]
            fences: fences[index].clone(),
        }));
        let last_seen = published.last_seen;
        board.learn_address(node, address);
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
