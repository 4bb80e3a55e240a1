use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use redis::{Arg, Cmd, Pipeline, Value};
use tokio::time::{Instant, timeout_at};

use super::Outcome;
use super::group::{Group, nowhere, text_of};
use super::in_flight::InFlight;
use super::queue::Queue;
use super::topology::{Node, Place, Topology};
use crate::connection::moved::Moved;
use crate::connection::node_address::NodeAddress;
use crate::connection::slots::Slot;
use crate::connection::{CommandError, ServerError};
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
    topology: &'c Arc<Topology>,
    commands: Commands<'c>,
    queues: Vec<Queue>,
    outcomes: Vec<Option<Outcome>>,
    within: Duration,
    until: Instant,
}

enum Commands<'c> {
    /// Each by itself.
    Each(&'c Pipeline, Vec<&'c Cmd>),
    /// All in one write to one node. It counts as one command.
    Together(&'c Pipeline, (usize, usize)),
}

/// Commands that are under way: for each queue its number and those of the commands.
struct Part {
    queue: usize,
    commands: Vec<usize>,
}

/// What a node has answered.
struct Answered {
    node: Arc<Node>,
    parts: Vec<Part>,
    /// The numbers of the commands in the order of the replies.
    order: Vec<usize>,
    /// Whether each reply follows one to `ASKING`.
    is_asking: bool,
    replies: Result<Vec<Value>, CommandError>,
}

impl<'c> Call<'c> {
    pub(super) fn of_each(
        topology: &'c Arc<Topology>,
        commands: &'c Pipeline,
        within: Duration,
    ) -> Self {
        let each: Vec<_> = commands.cmd_iter().collect();
        let places: Vec<_> = each.iter().map(|command| place_of(command)).collect();
        Self::new(topology, Commands::Each(commands, each), &places, within)
    }

    pub(super) fn of_all(
        topology: &'c Arc<Topology>,
        commands: &'c Pipeline,
        replies: (usize, usize),
        within: Duration,
    ) -> Self {
        let places: Vec<_> = commands.cmd_iter().take(1).map(place_of).collect();
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
        let mut groups: HashMap<(NodeAddress, bool), (Arc<Node>, Duration, Vec<Part>)> =
            HashMap::new();
        for (queue, pause) in queues {
            let (commands, once) = self.queues[queue].take();
            let is_asking = once.is_some();
            let node = match once {
                Some(address) => self.topology.node(&address),
                None => self.topology.node_of(self.queues[queue].place),
            };
            match node {
                Err(error) => {
                    let error = CommandError::NotSent(error);
                    self.end(queue, &commands, &error);
                }
                Ok(node) => {
                    let key = (node.address.clone(), is_asking);
                    let group = groups
                        .entry(key)
                        .or_insert((node, Duration::ZERO, Vec::new()));
                    group.1 = group.1.max(pause);
                    group.2.push(Part { queue, commands });
                }
            }
        }
        for ((_, is_asking), (node, pause, parts)) in groups {
            self.send(node, pause, parts, is_asking, in_flight);
        }
    }

    fn send(
        &self,
        node: Arc<Node>,
        pause: Duration,
        parts: Vec<Part>,
        is_asking: bool,
        in_flight: &mut InFlight<'c, Answered>,
    ) {
        let mut order: Vec<_> = parts
            .iter()
            .flat_map(|part| part.commands.iter().copied())
            .collect();
        order.sort_unstable();
        let (commands, replies) = match &self.commands {
            Commands::Together(commands, replies) => (Cow::Borrowed(*commands), *replies),
            Commands::Each(all, _) if order.len() == all.len() && !is_asking => {
                (Cow::Borrowed(*all), (0, all.len()))
            }
            Commands::Each(_, each) => {
                let mut commands = Pipeline::new();
                for command in &order {
                    if is_asking {
                        commands.cmd("ASKING");
                    }
                    commands.add_command(each[*command].clone());
                }
                let count = commands.len();
                (Cow::Owned(commands), (0, count))
            }
        };
        let slots = parts
            .iter()
            .map(|part| self.queues[part.queue].place.slot());
        let group = Group {
            node: Arc::clone(&node),
            pause,
            commands,
            replies,
            slots: slots.collect(),
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

    /// Takes the replies of a node. Returns the queues in which commands wait for another node, or for the one
    /// before them, and for how long.
    fn take(&mut self, answered: Answered) -> Vec<(usize, Duration)> {
        let Answered {
            node,
            parts,
            order,
            is_asking,
            replies,
        } = answered;
        let mut replies = self.by_command(replies, &order, is_asking);
        let mut again = Vec::new();
        for part in parts {
            // Why commands were not executed here, and the node that is named instead.
            let mut refused: Vec<(usize, Refusal)> = Vec::new();
            let mut failed = None;
            for command in part.commands {
                let reply = replies.remove(&command).expect("one for each command");
                match self.refusal(reply, &node, self.queues[part.queue].place) {
                    Ok(outcome) => {
                        failed = outcome.as_ref().err().map(not_sent_behind);
                        self.outcomes[command] = Some(outcome);
                    }
                    Err(refusal) => refused.push((command, refusal)),
                }
            }
            match failed {
                Some(error) => self.end(part.queue, &[], &error),
                None => again.extend(self.go_on(part.queue, &node, refused)),
            }
        }
        again
    }

    /// Returns what a node has answered to each command.
    fn by_command(
        &self,
        replies: Result<Vec<Value>, CommandError>,
        order: &[usize],
        is_asking: bool,
    ) -> HashMap<usize, Outcome> {
        let numbers = order.iter().copied();
        match (&self.commands, replies) {
            (_, Err(error)) => numbers.map(|number| (number, Err(error.again()))).collect(),
            (Commands::Together(..), Ok(replies)) => numbers
                .map(|number| (number, Ok(Value::Array(replies.clone()))))
                .collect(),
            (Commands::Each(..), Ok(replies)) => {
                let step = if is_asking { 2 } else { 1 };
                let own = replies.into_iter().skip(step - 1).step_by(step);
                numbers.zip(own.map(Ok)).collect()
            }
        }
    }

    /// Returns the outcome of a command, or why it was not executed and which node is named instead.
    fn refusal(&self, reply: Outcome, node: &Node, place: Place) -> Result<Outcome, Refusal> {
        let asked = node.address.host();
        let (moved, text) = match &reply {
            Ok(Value::ServerError(error)) => (Moved::parse(error, asked), text_of(error)),
            Err(CommandError::Refused(ServerError { text, .. })) => {
                (Moved::of_text(text, asked), text.clone())
            }
            Err(CommandError::NotSent(error)) if error.is_connection() => {
                return match self.topology.another(place, &node.address) {
                    Some(to) => Err(Refusal {
                        to: Some(to),
                        is_ask: false,
                        is_map: true,
                        error: CommandError::NotSent(error.again()),
                    }),
                    None => Ok(reply),
                };
            }
            _ => return Ok(reply),
        };
        let Some(moved) = moved else {
            return Ok(reply);
        };
        // In a transaction, each command would have to follow an `ASKING`.
        if moved.is_ask && matches!(self.commands, Commands::Together(..)) {
            return Ok(reply);
        }
        Err(Refusal {
            to: moved.to,
            is_ask: moved.is_ask,
            is_map: false,
            error: nowhere(place.slot(), node, &text),
        })
    }

    /// Puts back the commands of a queue that were not executed. Returns the queue if some of its commands are to
    /// be sent.
    fn go_on(
        &mut self,
        queue: usize,
        node: &Node,
        refused: Vec<(usize, Refusal)>,
    ) -> Option<(usize, Duration)> {
        let Some((_, first)) = refused.first() else {
            self.queues[queue].executed();
            return (!self.queues[queue].is_empty()).then_some((queue, Duration::ZERO));
        };
        let commands: Vec<_> = refused.iter().map(|(command, _)| *command).collect();
        let slot = self.queues[queue].place.slot();
        let is_in_time = clock::now() < self.until;
        // The node may not know the address of the other one.
        let to = first.to.as_ref().unwrap_or(&node.address);
        let pause = self.queues[queue].refused(&commands, &node.address, to);
        match (pause, &first.to) {
            (Some(pause), Some(to)) if is_in_time => {
                if first.is_ask {
                    self.queues[queue].ask_once(to.clone());
                } else if !first.is_map {
                    self.topology.moved(slot, to);
                }
                Some((queue, pause))
            }
            _ => {
                self.topology.look_soon();
                let left = self.queues[queue].take_all();
                for command in left {
                    self.outcomes[command] = Some(Err(first.error.again()));
                }
                None
            }
        }
    }

    /// Ends commands of a queue, and those behind them, with an error.
    fn end(&mut self, queue: usize, commands: &[usize], error: &CommandError) {
        let left = self.queues[queue].take_all();
        for command in commands.iter().chain(&left) {
            self.outcomes[*command] = Some(Err(error.again()));
        }
    }
}

/// Why a node has not executed a command.
struct Refusal {
    /// The node that has the slot instead.
    to: Option<NodeAddress>,
    /// Whether that is so for one command only.
    is_ask: bool,
    /// Whether the map says so, and not the node.
    is_map: bool,
    /// The error if no other node is asked.
    error: CommandError,
}

/// Returns the error for commands that wait behind one that has failed.
fn not_sent_behind(error: &CommandError) -> CommandError {
    let text = match error {
        CommandError::NotSent(error) | CommandError::Unknown(error) => error.to_string(),
        CommandError::Refused(refusal) => refusal.text.clone(),
    };
    CommandError::NotSent(Error::connection(format!(
        "not sent, because a command before it has failed: {text}"
    )))
}

/// Returns where a command goes, by its name and its first argument.
fn place_of(command: &Cmd) -> Place {
    let mut words = command.args_iter();
    let mut word = || match words.next() {
        Some(Arg::Simple(word)) => word,
        _ => &b""[..],
    };
    let (command, name) = (word(), word());
    match command {
        b"PUBLISH" => Place::Home(Slot::of(name)),
        _ => Place::Owner(Slot::of(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_first_argument() {
        let command = redis::cmd("PUBLISH").arg("foo").arg("payload").to_owned();
        assert_eq!(place_of(&command), Place::Home(Slot::of(b"foo")));
        let sharded = redis::cmd("SPUBLISH").arg("{foo}.bar").arg("").to_owned();
        assert_eq!(place_of(&sharded), Place::Owner(Slot::of(b"foo")));
        let ping = redis::cmd("PING");
        assert_eq!(place_of(&ping), Place::Owner(Slot::of(b"")));
    }
}
