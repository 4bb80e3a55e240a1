//! What becomes of the commands that a node has answered.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use redis::Value;

use super::Outcome;
use super::call::{Call, Commands};
use super::known::Place;
use super::topology::Node;
use crate::connection::moved::Moved;
use crate::connection::node_address::NodeAddress;
use crate::connection::slots::Slot;
use crate::connection::{CommandError, ServerError};
use crate::error::Error;
use crate::util::clock;

/// Commands that are under way: for each queue its number and those of the commands.
pub(super) struct Part {
    pub(super) queue: usize,
    pub(super) commands: Vec<usize>,
}

/// What a node has answered.
pub(super) struct Answered {
    pub(super) node: Arc<Node>,
    pub(super) parts: Vec<Part>,
    /// The numbers of the commands in the order of the replies.
    pub(super) order: Vec<usize>,
    /// Whether each reply follows one to `ASKING`.
    pub(super) is_asking: bool,
    pub(super) replies: Result<Vec<Value>, CommandError>,
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

impl Call<'_> {
    /// Takes the replies of a node. Returns the queues in which commands wait for another node, or for the one
    /// before them, and for how long.
    pub(super) fn take(&mut self, answered: Answered) -> Vec<(usize, Duration)> {
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
            let place = self.queues[part.queue].place;
            let mut is_taken = false;
            for command in part.commands {
                let reply = replies.remove(&command).expect("one for each command");
                match self.refusal(reply, &node, place) {
                    Ok(outcome) => {
                        is_taken |= may_be_taken(&outcome);
                        failed = outcome.as_ref().err().map(not_sent_behind);
                        self.outcomes[command] = Some(outcome);
                    }
                    Err(refusal) => refused.push((command, refusal)),
                }
            }
            if is_taken && place.is_of_messages() {
                self.topology.taken(place, &node.address);
            }
            match failed {
                Some(error) => {
                    let refused: Vec<_> = refused.iter().map(|(command, _)| *command).collect();
                    self.end(part.queue, &refused, &error);
                }
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
    pub(super) fn end(&mut self, queue: usize, commands: &[usize], error: &CommandError) {
        let left = self.queues[queue].take_all();
        for command in commands.iter().chain(&left) {
            self.outcomes[*command] = Some(Err(error.again()));
        }
    }
}

/// Whether the node has executed the command, or may have.
fn may_be_taken(outcome: &Outcome) -> bool {
    match outcome {
        Ok(reply) => !matches!(reply, Value::ServerError(_)),
        Err(error) => matches!(error, CommandError::Unknown(_)),
    }
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

/// Returns the error for commands that no node has executed, though each has named another one.
fn nowhere(slot: Slot, node: &Node, text: &str) -> CommandError {
    let address = &node.address;
    CommandError::NotSent(Error::connection(format!(
        "no node executes what is in slot {slot}, which may be on its way from one node to another: \
         {address}, the last one that was asked, answered `{text}`"
    )))
}

/// Returns the text of an error reply.
fn text_of(error: &redis::ServerError) -> String {
    ServerError::of(&error.clone().into()).text
}
