use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use redis::{Arg, Cmd, Pipeline};
use tokio::time::{Instant, timeout_at};

use super::Outcome;
use super::answered::{Answered, Part};
use super::group::Group;
use super::in_flight::InFlight;
use super::known::Place;
use super::queue::Queue;
use super::topology::{Node, Topology};
use crate::connection::CommandError;
use crate::connection::node_address::NodeAddress;
use crate::connection::slots::Slot;
use crate::error::Error;
use crate::util::clock;

/// The commands of one caller, which are followed from node to node.
///
/// ```text
///   queues, one for each slot ── take ──▶ groups, one for each node ──▶ replies ──▶ outcomes
///       ▲                                                                  │
///       └──────── MOVED, or nothing was sent and another node has the slot ┘
/// ```
pub(super) struct Call<'c> {
    pub(super) topology: &'c Arc<Topology>,
    pub(super) commands: Commands<'c>,
    pub(super) queues: Vec<Queue>,
    pub(super) outcomes: Vec<Option<Outcome>>,
    within: Duration,
    pub(super) until: Instant,
}

pub(super) enum Commands<'c> {
    /// Each by itself.
    Each(&'c Pipeline),
    /// All in one write to one node. It counts as one command.
    Together(&'c Pipeline, (usize, usize)),
}

/// What a node gets in the next write.
struct Next {
    node: Arc<Node>,
    /// How long to wait before that.
    pause: Duration,
    parts: Vec<Part>,
    /// Whether each command follows an `ASKING`.
    is_asking: bool,
}

impl<'c> Call<'c> {
    pub(super) fn of_each(
        topology: &'c Arc<Topology>,
        commands: &'c Pipeline,
        within: Duration,
    ) -> Self {
        let places = commands.cmd_iter();
        let places: Vec<_> = places
            .map(|command| place_of(command.args_iter()))
            .collect();
        Self::new(topology, Commands::Each(commands), &places, within)
    }

    pub(super) fn of_all(
        topology: &'c Arc<Topology>,
        commands: &'c Pipeline,
        replies: (usize, usize),
        within: Duration,
    ) -> Self {
        let first = commands.cmd_iter().take(1);
        let places: Vec<_> = first.map(|command| place_of(command.args_iter())).collect();
        let commands = Commands::Together(commands, replies);
        Self::new(topology, commands, &places, within)
    }

    fn new(
        topology: &'c Arc<Topology>,
        commands: Commands<'c>,
        places: &[Place],
        within: Duration,
    ) -> Self {
        let mut queues: Vec<Queue> = Vec::new();
        let mut queue_of = HashMap::new();
        for (command, place) in places.iter().enumerate() {
            let queue = *queue_of.entry(*place).or_insert_with(|| {
                let is_careful = topology.has_just_moved(place.slot());
                queues.push(Queue::new(*place, is_careful));
                queues.len() - 1
            });
            queues[queue].push(command);
        }
        Self {
            topology,
            commands,
            queues,
            outcomes: places.iter().map(|_| None).collect(),
            within,
            until: clock::now() + within,
        }
    }

    /// Returns what became of each command, in their order.
    pub(super) async fn run(mut self) -> Vec<Outcome> {
        let learned = timeout_at(self.until, self.topology.learned()).await;
        let learned = learned.unwrap_or_else(|_| {
            let within = self.within;
            let text = format!(
                "no node of the cluster has said within {within:?} which node has which slots"
            );
            Err(Error::connection(text))
        });
        if let Err(error) = learned {
            let error = CommandError::NotSent(error);
            return self.outcomes.iter().map(|_| Err(error.again())).collect();
        }
        let mut in_flight = InFlight::new();
        let all = (0..self.queues.len()).map(|queue| (queue, Duration::ZERO));
        self.dispatch(all.collect(), &mut in_flight);
        while let Some(answered) = in_flight.next().await {
            let again = self.take(answered);
            self.dispatch(again, &mut in_flight);
        }
        let outcomes = self.outcomes.into_iter();
        outcomes
            .map(|outcome| outcome.expect("no command is left in a queue"))
            .collect()
    }

    /// Sends what waits in queues, after pauses.
    fn dispatch(&mut self, queues: Vec<(usize, Duration)>, in_flight: &mut InFlight<'c, Answered>) {
        // Those that wait do not hold up the others.
        let mut groups: HashMap<(NodeAddress, bool, bool), Next> = HashMap::new();
        for (queue, pause) in queues {
            let (commands, once) = self.queues[queue].take();
            let is_asking = once.is_some();
            let node = match once {
                Some(address) => self.topology.node(&address).map(|node| (node, pause)),
                None => {
                    let node = self.topology.node_of(self.queues[queue].place);
                    node.map(|(node, rest)| (node, pause.max(rest)))
                }
            };
            match node {
                Err(error) => {
                    let error = CommandError::NotSent(error);
                    self.end(queue, &commands, &error);
                }
                Ok((node, pause)) => {
                    let key = (node.address.clone(), is_asking, pause.is_zero());
                    let next = groups.entry(key).or_insert_with(|| Next {
                        node,
                        pause,
                        parts: Vec::new(),
                        is_asking,
                    });
                    next.pause = next.pause.max(pause);
                    next.parts.push(Part { queue, commands });
                }
            }
        }
        for next in groups.into_values() {
            self.send(next, in_flight);
        }
    }

    fn send(&self, next: Next, in_flight: &mut InFlight<'c, Answered>) {
        let Next {
            node,
            pause,
            parts,
            is_asking,
        } = next;
        let mut order: Vec<_> = parts
            .iter()
            .flat_map(|part| part.commands.iter().copied())
            .collect();
        order.sort_unstable();
        let (commands, replies) = match &self.commands {
            Commands::Together(commands, replies) => (Cow::Borrowed(*commands), *replies),
            Commands::Each(all) if order.len() == all.len() && !is_asking => {
                (Cow::Borrowed(*all), (0, all.len()))
            }
            Commands::Each(all) => {
                let mut commands = Pipeline::new();
                let mut wanted = order.iter().copied().peekable();
                for (at, command) in all.cmd_iter().enumerate() {
                    if wanted.next_if_eq(&at).is_none() {
                        continue;
                    }
                    if is_asking {
                        commands.cmd("ASKING");
                    }
                    // Copied by its words, as redis-rs 2.0 does not lend commands.
                    let mut copy = Cmd::new();
                    for word in command.args_iter() {
                        if let Arg::Simple(word) = word {
                            copy.arg(word);
                        }
                    }
                    commands.add_command(copy);
                }
                let count = commands.len();
                (Cow::Owned(commands), (0, count))
            }
        };
        let places = parts.iter().map(|part| self.queues[part.queue].place);
        let group = Group {
            node: Arc::clone(&node),
            pause,
            commands,
            replies,
            places: places.collect(),
            within: (self.within, self.until),
        };
        let topology = self.topology;
        in_flight.add(async move {
            let replies = group.send(topology).await;
            Answered {
                node,
                parts,
                order,
                is_asking,
                replies,
            }
        });
    }
}

/// Returns where a command goes, by its words: its name and its first argument.
fn place_of<'w>(mut words: impl Iterator<Item = Arg<&'w [u8]>>) -> Place {
    let mut word = || match words.next() {
        Some(Arg::Simple(word)) => word,
        _ => &b""[..],
    };
    let (command, name) = (word(), word());
    match command {
        b"PUBLISH" => Place::Home(Slot::of(name)),
        b"SPUBLISH" => Place::Shard(Slot::of(name)),
        _ => Place::Key(Slot::of(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_first_argument() {
        let command = redis::cmd("PUBLISH").arg("foo").arg("payload").to_owned();
        assert_eq!(place_of(command.args_iter()), Place::Home(Slot::of(b"foo")));
        let sharded = redis::cmd("SPUBLISH").arg("{foo}.bar").arg("").to_owned();
        assert_eq!(
            place_of(sharded.args_iter()),
            Place::Shard(Slot::of(b"foo"))
        );
        let ping = redis::cmd("PING");
        assert_eq!(place_of(ping.args_iter()), Place::Key(Slot::of(b"")));
    }
}
