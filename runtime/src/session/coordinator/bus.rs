//! The watch over the links between the nodes.
//!
//! A node passes a `PUBLISH` on to the others over links of its own. When a link breaks, what was on its way
//! is lost, and nothing says so to a subscriber, whose own connection stays up. But each node tells when its
//! links were made.

use redis::Pipeline;

use super::look::WITHIN;
use super::{Coordinator, is_heard_everywhere, slot_of};
use crate::connection::bus::{BusLinks, LinkChange};
use crate::connection::{CommandError, LazyConnection};
use crate::util::clock;

impl Coordinator {
    /// Looks at the links of each node with names, and reports those that are not the same as before to
    /// the readers of the channels and patterns there.
    pub(super) async fn watch_bus(&mut self) {
        for at in 0..self.nodes.len() {
            let node = &self.nodes[at];
            if !self.is_up(node.id) || !self.dispatcher.agenda(node.id).has_names() {
                continue;
            }
            let looked = clock::wall();
            let links = match links(&node.commands).await {
                Ok(links) => links,
                Err(Refused(reason)) => {
                    if let Some(reason) = reason.filter(|_| !self.has_warned_of_bus) {
                        self.has_warned_of_bus = true;
                        tracing::warn!(
                            target: "redis_push",
                            node = %node.address,
                            %reason,
                            "the links between the nodes cannot be watched: messages that they lose are \
                             not reported"
                        );
                    }
                    continue;
                }
            };
            let node = &mut self.nodes[at];
            node.is_cut_off = !links.hears_any();
            let before = node.links.replace((looked, links));
            let (Some((since, before)), Some((_, links))) = (before, &node.links) else {
                continue;
            };
            let mut lost = links
                .changes_since(&before)
                .filter(|(id, change)| match change {
                    LinkChange::Reset | LinkChange::Missing | LinkChange::Gone => true,
                    // One that was there before has come back.
                    LinkChange::New => node.gone.contains(*id),
                });
            let has_lost = lost.next().is_some();
            let gone = links.changes_since(&before);
            let gone = gone.filter(|(_, change)| *change == LinkChange::Gone);
            let gone: Vec<Box<str>> = gone.map(|(id, _)| id.into()).collect();
            node.gone.extend(gone);
            if has_lost {
                tracing::warn!(
                    target: "redis_push",
                    node = %node.address,
                    "links between nodes of the cluster were reset: channels and patterns there may have \
                     missed messages"
                );
                self.board.learn(node.id, |facts| facts.bus_losses += 1);
                self.dispatcher.interrupt_bus(node.id, since);
            }
        }
        self.leave_cut_off();
    }

    /// Moves the channels and patterns of nodes that hear no other node to those that do: the others have
    /// forgotten such a node, or cannot reach it.
    fn leave_cut_off(&self) {
        let others: Vec<_> = self
            .nodes
            .iter()
            .filter(|node| self.is_up(node.id) && !node.is_cut_off)
            .map(|node| node.id)
            .collect();
        if others.is_empty() {
            // It may be a cluster of one node.
            return;
        }
        for node in self.nodes.iter().filter(|node| node.is_cut_off) {
            let moved = self.dispatcher.move_names(node.id, |kind, name| {
                let index = usize::from(slot_of(name).number()) % others.len();
                is_heard_everywhere(kind).then(|| others[index])
            });
            if moved > 0 {
                tracing::warn!(
                    target: "redis_push",
                    node = %node.address,
                    names = moved,
                    "a node of the cluster hears no other one; its channels and patterns have moved to \
                     others"
                );
            }
        }
    }
}

/// Why a node does not tell its links, or that it has not answered.
struct Refused(Option<String>);

async fn links(commands: &LazyConnection) -> Result<BusLinks, Refused> {
    let mut pipeline = Pipeline::new();
    pipeline.cmd("CLUSTER").arg("LINKS");
    let replies = commands.replies(&pipeline, (0, 1), WITHIN).await;
    let replies = replies.map_err(|error| match error {
        CommandError::Refused(refused) => Refused(Some(refused.text)),
        CommandError::NotSent(_) | CommandError::Unknown(_) => Refused(None),
    })?;
    let reply = replies.first().unwrap_or(&redis::Value::Nil);
    BusLinks::parse(reply).map_err(|error| Refused(Some(error.to_string())))
}
