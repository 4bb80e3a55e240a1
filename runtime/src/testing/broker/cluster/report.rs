//! What a node tells about the cluster in text.

use std::fmt::Write;

use super::membership::{Direction, Membership};

/// The replication offset of every node: here a replica is never behind. Servers leave replicas at 0 out of
/// CLUSTER SLOTS.
pub(super) const OFFSET: i64 = 1;

/// The reply to CLUSTER INFO.
pub(super) fn cluster(node: &Membership) -> String {
    let served: u32 = node
        .ranges()
        .iter()
        .map(|(first, last, _)| u32::from(last - first) + 1)
        .sum();
    let mut owners: Vec<usize> = node.ranges().iter().map(|(.., owner)| *owner).collect();
    owners.sort_unstable();
    owners.dedup();
    let state = if node.is_failing() { "fail" } else { "ok" };
    format!(
        "cluster_state:{state}\r\n\
         cluster_slots_assigned:{served}\r\n\
         cluster_slots_ok:{served}\r\n\
         cluster_slots_pfail:0\r\n\
         cluster_slots_fail:0\r\n\
         cluster_known_nodes:{known}\r\n\
         cluster_size:{size}\r\n\
         cluster_current_epoch:{epoch}\r\n\
         cluster_my_epoch:{epoch}\r\n",
        known = node.known.len(),
        size = owners.len(),
        epoch = node.topology.epoch,
    )
}

/// The reply to CLUSTER NODES.
pub(super) fn nodes(node: &Membership) -> String {
    let mut text = String::new();
    let ranges = node.ranges();
    for (index, known) in node.known_nodes() {
        let is_me = index == node.me;
        let myself = if is_me { "myself," } else { "" };
        let role = if known.primary.is_some() {
            "slave"
        } else {
            "master"
        };
        let failed = if known.is_down { ",fail" } else { "" };
        let primary = known
            .primary
            .map_or("-", |primary| &node.topology.nodes[primary].id);
        let is_linked = is_me || node.links.contains_key(&(index, Direction::To));
        let link = if is_linked {
            "connected"
        } else {
            "disconnected"
        };
        let (id, addr, epoch) = (&known.id, known.addr, node.topology.epoch);
        // The bus is not a port here; servers have it ten thousand above.
        let bus = u32::from(addr.port()) + 10_000;
        let _ = write!(
            text,
            "{id} {addr}@{bus} {myself}{role}{failed} {primary} 0 0 {epoch} {link}"
        );
        for (first, last, _) in ranges.iter().filter(|(.., owner)| *owner == index) {
            let _ = if first == last {
                write!(text, " {first}")
            } else {
                write!(text, " {first}-{last}")
            };
        }
        text.push('\n');
    }
    text
}

/// The section `replication` of INFO.
pub(super) fn replication(node: Option<&Membership>) -> String {
    let primary = node.and_then(|node| Some(&node.topology.nodes[node.primary()?]));
    let Some(primary) = primary else {
        let replicas: Vec<String> = node
            .into_iter()
            .flat_map(|node| node.running_replicas(node.me))
            .enumerate()
            .map(|(index, replica)| {
                let (ip, port) = (replica.addr.ip(), replica.addr.port());
                format!("slave{index}:ip={ip},port={port},state=online,offset={OFFSET},lag=0\r\n")
            })
            .collect();
        return format!(
            "# Replication\r\nrole:master\r\nconnected_slaves:{count}\r\n{replicas}master_repl_offset:{OFFSET}\r\n",
            count = replicas.len(),
            replicas = replicas.concat(),
        );
    };
    let (ip, port) = (primary.addr.ip(), primary.addr.port());
    let link = if primary.is_down { "down" } else { "up" };
    format!(
        "# Replication\r\nrole:slave\r\nmaster_host:{ip}\r\nmaster_port:{port}\r\nmaster_link_status:{link}\r\n\
         slave_repl_offset:{OFFSET}\r\nslave_read_only:1\r\nconnected_slaves:0\r\nmaster_repl_offset:{OFFSET}\r\n"
    )
}
