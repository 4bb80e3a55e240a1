//! The watch over the links between the nodes.
//!
//! A node passes a `PUBLISH` on to the others over links of its own. When a link breaks, what was on its way
//! is lost, and nothing says so to a subscriber, whose own connection stays up. But each node tells when its
//! links were made.

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use redis::{Pipeline, Value};

use super::look::WITHIN;
use super::nodes::{ClusterNode, Watch};
use super::{Coordinator, is_heard_everywhere, slot_of};
use crate::connection::bus::{BusLinks, LinkChange};
use crate::connection::{CommandError, LazyConnection};
use crate::push::NodeId;
use crate::subscription::Kind;
use crate::util::clock;

/// How long a node takes the cluster to be down until it counts as cut off.
const CERTAIN: Duration = Duration::from_secs(1);

/// A node that may not have heard of everything that was published since a time.
pub(super) struct BusLoss {
    node: NodeId,
    since: SystemTime,
}

impl Coordinator {
    /// Looks at the links of each node, and returns those whose links are not the same as before, or that
    /// were cut off from the others.
    pub(super) async fn watch_bus(&mut self) -> Vec<BusLoss> {
        let mut losses = Vec::new();
        for at in 0..self.nodes.len() {
            let node = &self.nodes[at];
            if !self.is_up(node.id) {
                continue;
            }
            let looked = clock::wall();
            let links = match links(&node.commands).await {
                Ok(links) => links,
                Err(Refused(reason)) => {
                    if let Some(reason) = reason.as_ref().filter(|_| !self.has_warned_of_bus) {
                        self.has_warned_of_bus = true;
                        tracing::warn!(
                            target: "redis_push",
                            node = %node.address,
                            %reason,
                            "the links between the nodes cannot be watched: messages that they lose are \
                             not reported"
                        );
                    }
                    let is_refused = reason.is_some();
                    let is_down = is_down(&node.commands).await;
                    let node = &mut self.nodes[at];
                    (node.is_down, node.hears_any) = (is_down, true);
                    if is_refused {
                        node.watch = Watch::Answered;
                    }
                    if !is_down {
                        node.well = looked;
                    }
                    continue;
                }
            };
            let is_down = is_down(&node.commands).await;
            let node = &mut self.nodes[at];
            node.is_down = is_down;
            node.hears_any = links.hears_any();
            if !is_down && node.hears_any {
                node.well = looked;
            }
            node.watch = Watch::Answered;
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
            let since = Some(since).filter(|_| has_lost || node.is_cut_off);
            losses.extend(since.map(|since| BusLoss {
                node: node.id,
                since,
            }));
        }
        losses.extend(self.find_cut_off());
        losses
    }

    /// Asks the nodes that are new for their links, before any name is subscribed to there. What the links lose
    /// from then on is a change.
    pub(super) async fn begin_watch(&mut self) {
        let new = self
            .nodes
            .iter_mut()
            .filter(|node| node.watch == Watch::New);
        let mut asked: Vec<_> = new
            .map(|node| {
                node.watch = Watch::Asked;
                Box::pin(async {
                    let looked = clock::wall();
                    if let Ok(links) = links(&node.commands).await {
                        node.links = Some((looked, links));
                        node.watch = Watch::Answered;
                    }
                })
            })
            .collect();
        poll_fn(|cx| {
            asked.retain_mut(|asking| asking.as_mut().poll(cx).is_pending());
            match asked.is_empty() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// Finds out which nodes are cut off: those that hear no other one at two looks, or that take the cluster to
    /// be down for [`CERTAIN`], while others do not. Links that are reset are missing for a moment, and nodes do
    /// not learn at the same time that the cluster is well again. Returns those that are news: what was published
    /// since they were last well is lost.
    fn find_cut_off(&mut self) -> Vec<BusLoss> {
        let mut losses = Vec::new();
        let now = clock::now();
        let up: Vec<_> = self.nodes.iter().map(|node| self.is_up(node.id)).collect();
        let mut well = self.nodes.iter().zip(&up);
        let is_any_well = well.any(|(node, is_up)| *is_up && node.hears_any && !node.is_down);
        for (node, _) in self.nodes.iter_mut().zip(up).filter(|(_, is_up)| *is_up) {
            let is_alone = is_any_well && (node.is_down || !node.hears_any);
            let before = node.alone_since;
            if is_alone && before.is_none() {
                self.trouble.note_change();
            }
            node.alone_since = is_alone.then(|| before.unwrap_or(now));
            let lasts = before.filter(|_| is_alone).map(|since| now - since);
            let is_cut_off = lasts.is_some_and(|lasts| !node.hears_any || lasts >= CERTAIN);
            let was_cut_off = std::mem::replace(&mut node.is_cut_off, is_cut_off);
            if is_cut_off && !was_cut_off {
                losses.push(BusLoss {
                    node: node.id,
                    since: node.well,
                });
            }
        }
        losses
    }

    /// Reports to the readers on nodes that may have missed messages there. Those of a sharded channel may
    /// if the node is not the owner of its slot, as a replica is not, or does not know that it is not.
    pub(super) fn report_bus(&self, losses: &[BusLoss]) {
        for BusLoss { node, since } in losses {
            if !self.dispatcher.agenda(*node).has_names() {
                continue;
            }
            let Some(ClusterNode { id, address, .. }) = self.node(*node) else {
                continue;
            };
            tracing::warn!(
                target: "redis_push",
                node = %address,
                "links between nodes of the cluster were reset: channels and patterns there may have \
                 missed messages"
            );
            let is_concerned = |kind: Kind, name: &[u8]| {
                is_heard_everywhere(kind) || self.places.get(slot_of(name)) != *id
            };
            self.board.learn(*node, |facts| facts.bus_losses += 1);
            self.dispatcher.interrupt_bus(*node, *since, is_concerned);
        }
    }

    /// Moves the channels and patterns of nodes that hear no other node to those that do: the others have
    /// forgotten such a node, or cannot reach it.
    pub(super) fn leave_cut_off(&self) {
        let others: Vec<_> = self
            .nodes
            .iter()
            .filter(|node| self.is_up(node.id) && !node.is_cut_off)
            .map(|node| node.id)
            .collect();
        if others.is_empty() {
            // It may be a cluster of one node, or one that is down as a whole.
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

/// Whether a node says that the cluster is down, as one does that does not hear most of the primaries. One
/// that may not be asked is taken to be well.
async fn is_down(commands: &LazyConnection) -> bool {
    let mut pipeline = Pipeline::new();
    pipeline.cmd("CLUSTER").arg("INFO");
    let replies = commands.replies(&pipeline, (0, 1), WITHIN).await;
    let info = match replies.as_deref() {
        Ok([Value::BulkString(info)]) => info.as_slice(),
        Ok([Value::VerbatimString { text, .. }]) => text.as_bytes(),
        _ => return false,
    };
    let mut lines = info.split(|byte| *byte == b'\n');
    lines.any(|line| line.trim_ascii_end() == b"cluster_state:fail")
}
