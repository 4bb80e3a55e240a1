//! The connections for commands to the nodes of a cluster.
//!
//! | file | contents |
//! | --- | --- |
//! | `topology` | [`Topology`]: the nodes, and where a command goes |
//! | `known` | [`Known`](known::Known): which node has which slots, and when a slot changes its node |
//! | `homes` | [`Homes`](homes::Homes): where messages to channels are published |
//! | `taken` | [`Taken`](taken::Taken): which node has taken the last message, so that the next one does not overtake it |
//! | `look` | how that is learned: `CLUSTER SLOTS`, asked by one task at a time for all callers |
//! | `view` | what one node says |
//! | `seeds` | the nodes that the user has named |
//! | `queue` | the commands of a call whose names are in one slot |
//! | `group` | the commands that go to one node in one write |
//! | `call` | [`Call`]: the commands of one caller, followed from node to node |
//! | `answered` | what becomes of commands that a node has answered: an outcome, or another node |
//! | `in_flight` | the groups of a call that are under way |
//!
//! In: commands, each of which has the name of a channel or a key as its first argument. Out: what became of
//! each, in the order of the caller.
//!
//! # Invariants
//!
//! - A command is sent again only if it is known that no node has executed it: it was answered with `MOVED`
//!   or `ASK`, or nothing was sent. After a connection is lost, it is not known.
//! - Commands of one kind whose names are in one slot are executed in the order of the caller: those about keys,
//!   messages to sharded channels, messages to channels.
//! - A message to a channel is sent only when what another node has taken for it before is 100 ms old, so that it does
//!   not overtake that, unless the node is frozen.
//! - The map is a hint. What decides is the node that executes the command.

mod answered;
mod call;
mod group;
mod homes;
mod in_flight;
mod known;
mod look;
mod queue;
mod seeds;
mod taken;
mod topology;
mod view;

use std::sync::Arc;
use std::time::Duration;

use redis::{Pipeline, Value};
use tokio_util::sync::DropGuard;

use super::command_error::CommandError;
use call::Call;
pub(crate) use seeds::Seeds;
use topology::Topology;

/// What became of a command: the reply, which may be an error, or why it is not there.
pub(crate) type Outcome = Result<Value, CommandError>;

/// The connections for commands to the nodes of a cluster, which are made when there is a command for them.
/// All callers share them.
pub(crate) struct ClusterConnection {
    topology: Arc<Topology>,
    /// Ends the task that looks at the topology.
    _end: DropGuard,
    /// In a test kit, all commands go to its server.
    #[cfg(feature = "testing")]
    kit: super::lazy::LazyConnection,
}

impl ClusterConnection {
    /// Creates the connections. `interval` is how old the map may be when a command is sent.
    pub(crate) fn new(seeds: Seeds, interval: Duration) -> Self {
        #[cfg(feature = "testing")]
        let kit = {
            let first = Arc::clone(seeds.first());
            super::lazy::LazyConnection::new(super::Destination::Server(first))
        };
        let (topology, end) = Topology::new(seeds, interval);
        Self {
            topology,
            _end: end,
            #[cfg(feature = "testing")]
            kit,
        }
    }

    /// Sends commands, each to the node that has the slot of its name, and returns what became of each.
    pub(crate) async fn each(&self, commands: &Pipeline, within: Duration) -> Vec<Outcome> {
        #[cfg(feature = "testing")]
        if self.probe().is_some() {
            let all = (0, commands.len());
            let replies = self.kit.replies(commands, all, within).await;
            let replies = replies.and_then(|replies| super::one_each(replies, commands));
            return match replies {
                Ok(replies) => replies.into_iter().map(Ok).collect(),
                Err(error) => commands.cmd_iter().map(|_| Err(error.again())).collect(),
            };
        }
        Call::of_each(&self.topology, commands, within).run().await
    }

    /// Sends commands whose names are in one slot, in one write, skips `skipped` replies, and returns the
    /// `count` after them: a transaction.
    pub(crate) async fn together(
        &self,
        commands: &Pipeline,
        replies: (usize, usize),
        within: Duration,
    ) -> Result<Vec<Value>, CommandError> {
        #[cfg(feature = "testing")]
        if self.probe().is_some() {
            return self.kit.replies(commands, replies, within).await;
        }
        let call = Call::of_all(&self.topology, commands, replies, within);
        match call.run().await.pop() {
            Some(Ok(Value::Array(replies))) => Ok(replies),
            Some(Ok(reply)) => Ok(vec![reply]),
            Some(Err(error)) => Err(error),
            None => Ok(Vec::new()),
        }
    }

    /// Returns the probe of the test kit that the connections belong to.
    #[cfg(feature = "testing")]
    pub(super) fn probe(&self) -> Option<crate::probe::SharedProbe> {
        self.kit.probe()
    }
}
