//! A node of a cluster.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisResult, Value};

use super::lock;
use super::view::{Role, View};
use crate::wait::within;
use crate::{RawClient, RealServer};

/// A node of a [`RealCluster`](super::RealCluster). Clones are the same node.
#[derive(Clone)]
pub struct Node(Arc<Inner>);

struct Inner {
    server: RealServer,
    id: String,
    state: Mutex<State>,
    /// The administrator's connection, for commands that are repeated until something has happened.
    connection: Mutex<Option<MultiplexedConnection>>,
}

/// What the test has done to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Member,
    Killed,
    Frozen,
    /// It runs, and the others do not count it as one of them.
    Outside,
}

impl Node {
    pub(super) async fn new(server: RealServer) -> Self {
        let id = server.command(&["CLUSTER", "MYID"]).await;
        Self(Arc::new(Inner {
            server,
            id: redis::from_redis_value(id).expect("an id"),
            state: Mutex::new(State::Member),
            connection: Mutex::new(None),
        }))
    }

    /// The server.
    pub fn server(&self) -> &RealServer {
        &self.0.server
    }

    /// The id, which stays the same across restarts.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The address, which stays the same across restarts.
    pub fn addr(&self) -> SocketAddr {
        self.0.server.addr()
    }

    /// The URL, without credentials.
    pub fn url(&self) -> String {
        self.0.server.url()
    }

    /// A connection as the administrator.
    ///
    /// # Panics
    ///
    /// If the node does not answer.
    pub async fn connect(&self) -> MultiplexedConnection {
        within("a connection to a node", self.server().connect())
            .await
            .unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }

    /// A raw connection in RESP3.
    pub async fn raw3(&self) -> RawClient {
        RawClient::resp3(self.addr()).await
    }

    /// Runs a command as the administrator.
    ///
    /// # Panics
    ///
    /// If the node replies with an error or does not reply.
    pub async fn command(&self, words: &[&str]) -> Value {
        let reply = self.ask(words).await;
        reply.unwrap_or_else(|error| panic!("{words:?} at {self:?}: {error}"))
    }

    /// Runs a command as the administrator, which the node may refuse.
    ///
    /// # Errors
    ///
    /// The server's error reply.
    ///
    /// # Panics
    ///
    /// If the node does not reply.
    pub async fn ask(&self, words: &[&str]) -> RedisResult<Value> {
        let mut replies = self.ask_all([command(words)]).await?;
        Ok(replies.pop().expect("a reply"))
    }

    /// Runs commands in one pipeline. The error is that of the first one that is refused.
    pub(super) async fn ask_all(
        &self,
        commands: impl IntoIterator<Item = Cmd>,
    ) -> RedisResult<Vec<Value>> {
        let mut pipeline = Pipeline::new();
        for command in commands {
            pipeline.add_command(command);
        }
        let run = async {
            let used = lock(&self.0.connection).clone();
            if let Some(mut connection) = used {
                match pipeline.query_async(&mut connection).await {
                    // The node has been restarted, or has closed its clients.
                    Err(error) if error.is_io_error() || error.is_connection_dropped() => {}
                    replies => return replies,
                }
            }
            let mut connection = self.server().connect().await?;
            *lock(&self.0.connection) = Some(connection.clone());
            pipeline.query_async(&mut connection).await
        };
        within(&format!("a reply of {self:?}"), run).await
    }

    pub(super) async fn text(&self, words: &[&str]) -> String {
        redis::from_redis_value(self.command(words).await).expect("a text")
    }

    /// What the node says of the owners of slots.
    pub(super) async fn view(&self) -> View {
        View::read(self.command(&["CLUSTER", "SLOTS"]).await)
    }

    pub(super) async fn role(&self) -> Role {
        Role::read(self.command(&["ROLE"]).await)
    }

    /// Whether the node says of itself that it is a replica.
    pub async fn is_replica(&self) -> bool {
        self.role().await.replica_of.is_some()
    }

    /// Whether the node says `cluster_state:ok`.
    pub async fn is_ok(&self) -> bool {
        let info = self.text(&["CLUSTER", "INFO"]).await;
        info.contains("cluster_state:ok")
    }

    /// The ids of the nodes that this one knows and is connected to, with itself.
    pub(super) async fn known(&self) -> Vec<String> {
        let nodes = self.text(&["CLUSTER", "NODES"]).await;
        let known = nodes.lines().filter_map(|line| {
            let words: Vec<_> = line.split(' ').collect();
            let mut flags = words[2].split(',');
            let is_there =
                flags.all(|flag| !["handshake", "noaddr", "fail", "fail?"].contains(&flag));
            (is_there && words[7] == "connected").then(|| words[0].to_owned())
        });
        known.collect()
    }

    pub(super) fn is_member(&self) -> bool {
        self.state() == State::Member
    }

    pub(super) fn state(&self) -> State {
        *lock(&self.0.state)
    }

    pub(super) fn set_state(&self, state: State) {
        *lock(&self.0.state) = state;
    }
}

/// Builds a command of words.
pub(super) fn command(words: &[&str]) -> Cmd {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Node {}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {} ({:.8})", self.addr(), self.id())
    }
}
