//! The watch over the links between the nodes.
//!
//! A node passes a `PUBLISH` on to the others over links of its own. When a link breaks, what was on its way
//! is lost, and nothing says so to a subscriber, whose own connection stays up. But each node tells when its
//! links were made.

use redis::Pipeline;

use super::Coordinator;
use super::look::WITHIN;
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
                self.dispatcher.interrupt_bus(node.id, since);
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
