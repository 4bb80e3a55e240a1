//! One interface to embedded brokers and to real servers that form a cluster.

use redis::Value;
use redis_push::testing::{Broker, BrokerCluster};

use crate::real_cluster::{First, Node, RealCluster};
use crate::wait::{eventually, within};
use crate::{RawClient, ServerBinary};

/// A cluster that belongs to one test: three primaries, with the numbers 0 to 2, and their replicas 3 to 5.
/// Nodes that are added come next.
pub enum Cluster {
    /// Embedded brokers.
    Broker(BrokerCluster),
    /// Real servers.
    Real(RealCluster),
}

impl Cluster {
    pub(crate) async fn of_brokers() -> Self {
        let cluster = Broker::cluster(3).start().await;
        Self::Broker(cluster.expect("free ports"))
    }

    pub(crate) async fn of(binary: &ServerBinary) -> Self {
        Self::Real(RealCluster::start(binary).await)
    }

    /// The real servers, unless these are brokers.
    pub fn real(&self) -> Option<&RealCluster> {
        match self {
            Self::Broker(_) => None,
            Self::Real(cluster) => Some(cluster),
        }
    }

    /// The slot of a name.
    pub async fn slot_of(&self, name: &str) -> u16 {
        match self {
            Self::Broker(cluster) => cluster.slot_of(name),
            Self::Real(cluster) => cluster.slot_of(name).await,
        }
    }

    /// The node that owns the slot of a name.
    pub async fn node_of(&self, name: &str) -> usize {
        match self {
            Self::Broker(cluster) => cluster.node_of(name),
            Self::Real(cluster) => number(cluster, &cluster.node_of(name).await),
        }
    }

    /// Moves the slot of a name, with its keys. All nodes know it afterwards.
    pub async fn move_slot_of(&self, name: &str, to: usize) {
        let slot = self.slot_of(name).await;
        match self {
            Self::Broker(cluster) => cluster.move_slot(slot, to),
            Self::Real(cluster) => {
                let to = &cluster.nodes()[to];
                cluster.move_slot(slot, to, First::Target).await;
                // A primary with its first slot may take the cluster to be down for a moment.
                eventually("the new owner to serve", async || to.is_ok().await).await;
            }
        }
    }

    /// Takes a slot from its owner. A real one may be the only node that knows it.
    pub async fn drop_slot_of(&self, name: &str) {
        let slot = self.slot_of(name).await;
        match self {
            Self::Broker(cluster) => cluster.drop_slot(slot),
            Self::Real(cluster) => {
                let owner = cluster.primary_of(slot).await;
                let slot = slot.to_string();
                owner.command(&["CLUSTER", "DELSLOTS", &slot]).await;
                let is_down = async || !owner.is_ok().await;
                eventually("the cluster to be down", is_down).await;
            }
        }
    }

    /// Lets the replica of a primary take over, and returns its number.
    pub async fn fail_over(&self, primary: usize) -> usize {
        match self {
            Self::Broker(cluster) => cluster.fail_over(primary),
            Self::Real(cluster) => {
                let new = cluster.fail_over(&cluster.nodes()[primary]).await;
                number(cluster, &new)
            }
        }
    }

    /// Kills a node. Nobody replaces it before [`replace`](Self::replace) or the node timeout.
    pub async fn kill(&self, node: usize) {
        match self {
            Self::Broker(cluster) => within("a node's end", cluster.kill(node)).await,
            Self::Real(cluster) => cluster.kill(&cluster.nodes()[node]).await,
        }
    }

    /// Has a killed owner of a name's slot replaced, and returns the number of the new one.
    pub async fn replace(&self, killed: usize, name: &str) -> usize {
        match self {
            Self::Broker(cluster) => cluster.fail_over(killed),
            Self::Real(cluster) => {
                let slot = cluster.slot_of(name).await;
                let killed = &cluster.nodes()[killed];
                number(cluster, &cluster.new_owner(slot, killed).await)
            }
        }
    }

    /// Starts a killed node again.
    pub async fn restart(&self, node: usize) {
        match self {
            Self::Broker(cluster) => within("a node's start", cluster.restart(node))
                .await
                .unwrap(),
            Self::Real(cluster) => cluster.restart(&cluster.nodes()[node]).await,
        }
    }

    /// Adds a primary without slots, and returns its number.
    pub async fn add_node(&mut self) -> usize {
        match self {
            Self::Broker(cluster) => cluster.add_node().await.unwrap(),
            Self::Real(cluster) => number(cluster, &cluster.add_node().await),
        }
    }

    /// Makes the other nodes forget a primary without slots.
    pub async fn forget(&self, node: usize) {
        match self {
            Self::Broker(cluster) => cluster.forget(node),
            Self::Real(cluster) => cluster.forget(&cluster.nodes()[node]).await,
        }
    }

    /// Resets the links of a node.
    pub async fn reset_bus(&self, node: usize) {
        match self {
            Self::Broker(cluster) => cluster.reset_bus(node),
            Self::Real(cluster) => cluster.reset_bus(&cluster.nodes()[node]).await,
        }
    }

    /// Sets `notify-keyspace-events` of all nodes.
    pub async fn set_key_events(&self, classes: &str) {
        match self {
            Self::Broker(cluster) => cluster.set_key_events(classes),
            Self::Real(cluster) => {
                let words = ["CONFIG", "SET", "notify-keyspace-events", classes];
                for node in cluster.nodes() {
                    node.command(&words).await;
                }
            }
        }
    }

    /// Refuses subscriptions to a channel at all nodes. A real cluster then refuses all channels.
    pub async fn deny(&self, channel: &str) {
        match self {
            Self::Broker(cluster) => {
                let nodes = cluster.nodes().iter();
                nodes.for_each(|node| node.deny(channel));
            }
            Self::Real(cluster) => {
                for node in cluster.nodes() {
                    let words = ["ACL", "SETUSER", "default", "resetchannels"];
                    node.command(&words).await;
                }
            }
        }
    }

    /// What a node says, as a value.
    pub async fn value(&self, node: usize, words: &[&str]) -> Value {
        match self {
            Self::Broker(cluster) => {
                let client = redis::Client::open(cluster.node(node).url()).unwrap();
                let ask = async {
                    let mut connection = client.get_multiplexed_async_connection().await?;
                    let mut command = redis::cmd(words[0]);
                    command.arg(&words[1..]).query_async(&mut connection).await
                };
                within("a reply", ask).await.unwrap()
            }
            Self::Real(cluster) => cluster.nodes()[node].command(words).await,
        }
    }

    /// A connection in RESP3 to a node.
    pub async fn client(&self, node: usize) -> ClusterClient {
        let (addrs, ids) = self.names().await;
        ClusterClient {
            raw: RawClient::resp3(addrs[node]).await,
            addrs,
            ids,
        }
    }

    async fn names(&self) -> (Vec<std::net::SocketAddr>, Vec<String>) {
        match self {
            Self::Broker(cluster) => {
                let mut ids = Vec::new();
                for node in 0..cluster.nodes().len() {
                    // A killed node has no name, and is not asked.
                    let id = match tokio::net::TcpStream::connect(cluster.node(node).addr()).await {
                        Ok(_) => self.value(node, &["CLUSTER", "MYID"]).await,
                        Err(_) => Value::Nil,
                    };
                    ids.push(redis::from_redis_value::<Option<String>>(id).unwrap());
                }
                let ids = ids.into_iter().map(|id| id.unwrap_or("nobody".into()));
                let addrs = cluster.nodes().iter().map(Broker::addr);
                (addrs.collect(), ids.collect())
            }
            Self::Real(cluster) => {
                let nodes = cluster.nodes();
                let ids = nodes.iter().map(|node| node.id().to_owned());
                (nodes.iter().map(Node::addr).collect(), ids.collect())
            }
        }
    }
}

fn number(cluster: &RealCluster, node: &Node) -> usize {
    let nodes = cluster.nodes();
    let number = nodes.iter().position(|one| one == node);
    number.expect("a node of the cluster")
}

/// A connection to a node, which shows frames as [`RawClient`] does, with the numbers of nodes in place of
/// what differs from one run to the next: `node0` for an address, `port0` and `id0`.
pub struct ClusterClient {
    raw: RawClient,
    addrs: Vec<std::net::SocketAddr>,
    ids: Vec<String>,
}

impl ClusterClient {
    /// Sends a command.
    pub async fn say(&mut self, command: &str) {
        self.raw.say(command).await;
    }

    /// Returns all frames that have come so far.
    pub async fn until_fence(&mut self) -> Vec<String> {
        let frames = self.raw.until_fence().await;
        frames.iter().map(|frame| self.shown(frame)).collect()
    }

    /// Returns the next frame.
    pub async fn hear(&mut self) -> String {
        let frame = self.raw.hear().await;
        self.shown(&frame)
    }

    /// Asserts that the next frames are these.
    pub async fn hears<T: AsRef<str>>(&mut self, expected: &[T]) {
        for expected in expected {
            assert_eq!(self.hear().await, expected.as_ref());
        }
    }

    /// Sends a command, and returns the one frame that answers it.
    pub async fn ask(&mut self, command: &str) -> String {
        self.say(command).await;
        let mut frames = self.until_fence().await;
        assert_eq!(frames.len(), 1, "{command}: {frames:?}");
        frames.remove(0)
    }

    /// Asserts that a command is answered with exactly these frames.
    pub async fn expect<T: AsRef<str>>(&mut self, command: &str, expected: &[T]) {
        self.say(command).await;
        let expected: Vec<_> = expected.iter().map(AsRef::as_ref).collect();
        assert_eq!(self.until_fence().await, expected, "the reply to {command}");
    }

    fn shown(&self, frame: &str) -> String {
        let mut frame = frame.to_owned();
        for (number, (addr, id)) in self.addrs.iter().zip(&self.ids).enumerate() {
            let port = addr.port();
            frame = frame
                .replace(&addr.to_string(), &format!("node{number}"))
                .replace(id, &format!("id{number}"))
                .replace(&format!("\"{port}\""), &format!("port{number}"))
                .replace(&format!(":{port}"), &format!("port{number}"));
        }
        frame
    }
}
