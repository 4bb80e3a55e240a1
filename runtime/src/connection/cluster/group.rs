//! The commands that go to one node in one write.

use std::borrow::Cow;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use redis::{Pipeline, Value};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::known::Place;
use super::topology::{Node, Topology};
use crate::connection::exchange::is_passing;
use crate::connection::slots::Slot;
use crate::connection::{CommandError, one_each};
use crate::error::Error;
use crate::util::clock;

/// After how long without an answer other nodes are asked whether the node was replaced.
const SILENCE: Duration = Duration::from_millis(500);

/// How long a node that was replaced may take to answer what was sent to it before.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// The commands that go to one node in one write.
pub(super) struct Group<'c> {
    pub(super) node: Arc<Node>,
    /// How long to wait before that.
    pub(super) pause: Duration,
    pub(super) commands: Cow<'c, Pipeline>,
    /// How many replies are skipped, and how many follow.
    pub(super) replies: (usize, usize),
    /// Where they go.
    pub(super) places: Vec<Place>,
    /// How long the call may take, and until when that is.
    pub(super) within: (Duration, Instant),
}

impl Group<'_> {
    /// Sends the commands, and waits for the replies, which may be errors. If it returns
    /// [`CommandError::NotSent`], the map was looked at since.
    pub(super) async fn send(&self, topology: &Arc<Topology>) -> Result<Vec<Value>, CommandError> {
        let node = &self.node;
        let (_, until) = self.within;
        if !self.pause.is_zero() {
            sleep_until(until.min(clock::now() + self.pause)).await;
            if clock::now() >= until {
                let text = "no time was left to wait before another node of the cluster is asked";
                return Err(CommandError::NotSent(Error::connection(text)));
            }
        }
        let unanswered = Unanswered {
            places: &self.places,
            node,
            topology,
        };
        let replies = node
            .connection
            .replies_unless(
                &self.commands,
                self.replies,
                self.within,
                self.replaced(topology),
            )
            .await;
        unanswered.end();
        let replies = match self.commands.is_transaction() {
            true => replies,
            false => replies.and_then(|replies| one_each(replies, &self.commands)),
        };
        match &replies {
            Ok(replies) => {
                node.suspect(false);
                if replies.iter().any(is_state_of_node) {
                    topology.look_soon();
                }
            }
            Err(CommandError::Refused(refusal)) => {
                node.suspect(false);
                if refusal.is_passing() {
                    topology.look_soon();
                }
            }
            Err(CommandError::Unknown(_)) => {
                node.suspect(true);
                topology.leave(&node.address);
                topology.look_soon();
            }
            Err(CommandError::NotSent(error)) => {
                node.suspect(true);
                if error.is_connection() {
                    // Without an answer, the caller's time may be over, and the node may be well.
                    match timeout_at(until, topology.looked()).await {
                        Ok(Ok(())) => topology.leave_unreachable(&node.address),
                        _ => topology.leave(&node.address),
                    }
                }
            }
        }
        replies
    }

    /// Waits until the node is silent and others have its slots. A node that is frozen does not answer, and
    /// its connections stay open.
    async fn replaced(&self, topology: &Arc<Topology>) -> String {
        let is_owner = |slot: &Slot| topology.is_owner(&self.node.address, *slot);
        let slots = self.places.iter().map(|place| place.slot());
        let slots: Vec<_> = slots.filter(is_owner).collect();
        if slots.is_empty() {
            return pending().await;
        }
        loop {
            sleep(SILENCE).await;
            self.node.suspect(true);
            if topology.looked().await.is_ok() && !slots.iter().any(is_owner) {
                sleep(LAST_WORDS).await;
                let address = &self.node.address;
                return format!(
                    "the node at {address} does not answer, and another one has its slots now"
                );
            }
        }
    }
}

/// What was sent and is not answered. If the caller does not wait for the answer, the node may take it.
struct Unanswered<'g> {
    places: &'g [Place],
    node: &'g Node,
    topology: &'g Topology,
}

impl Unanswered<'_> {
    /// The caller has the answer, or an error.
    fn end(mut self) {
        self.places = &[];
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        let messages = self.places.iter().filter(|place| place.is_of_messages());
        messages.for_each(|place| self.topology.taken(*place, &self.node.address));
    }
}

/// Whether a reply describes a state of the node, in which another one may have its slots.
fn is_state_of_node(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if is_passing(error.code()))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;
    use crate::connection::cluster::Seeds;
    use crate::connection::node_address::NodeAddress;
    use crate::connection::options::Options;

    #[tokio::test]
    async fn a_message_may_be_taken_if_its_caller_does_not_wait_for_the_answer() {
        // It accepts connections, and nobody answers.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seeds = Seeds::new(&[format!("redis://127.0.0.1:{port}/")], Options::default());
        let (topology, _stop) = Topology::new(seeds.unwrap(), Duration::from_secs(60));
        let [node, other] = [port, 1].map(|port| NodeAddress::new("127.0.0.1", port));
        for (place, is_taken) in [
            (Place::Shard(Slot::of(b"a")), true),
            (Place::Key(Slot::of(b"b")), false),
        ] {
            let mut commands = Pipeline::new();
            commands.cmd("SPUBLISH").arg("a").arg("payload");
            let within = Duration::from_secs(5);
            let group = Group {
                node: topology.node(&node).unwrap(),
                pause: Duration::ZERO,
                commands: Cow::Owned(commands),
                replies: (0, 1),
                places: vec![place],
                within: (within, clock::now() + within),
            };
            let sending = timeout(Duration::ZERO, group.send(&topology)).await;
            assert!(sending.is_err(), "it is not answered");
            let rest = topology.known.lock().taken.rest(place, &other);
            assert_eq!(!rest.is_zero(), is_taken, "{place:?}");
        }
    }
}
