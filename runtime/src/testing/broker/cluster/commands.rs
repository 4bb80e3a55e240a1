//! The commands that tell about the cluster, and those that say how a client uses it.

use super::membership::{Direction, Membership};
use super::report;
use super::slot::slot;
use super::topology::Node;
use crate::testing::broker::call::Call;
use crate::testing::broker::command::{Command, When, command, container};
use crate::testing::broker::error::{Answer, ErrorReply};
use crate::testing::broker::reply::Frames;

pub(in crate::testing::broker) const COMMANDS: &[Command] = &[
    container("cluster", CLUSTER),
    command("readonly", 1, When::Loading, readonly),
    command("readwrite", 1, When::Loading, readwrite),
    command("asking", 1, When::Loading, asking),
    command("role", 1, When::Loading, role),
    command("info", -1, When::Loading, info),
];

const CLUSTER: &[Command] = &[
    command("cluster|slots", 2, When::Loading, slots),
    command("cluster|shards", 2, When::Loading, shards),
    command("cluster|links", 2, When::Loading, links),
    command("cluster|nodes", 2, When::Loading, nodes),
    command("cluster|info", 2, When::Loading, cluster_info),
    command("cluster|myid", 2, When::Loading, my_id),
    command("cluster|keyslot", 3, When::Loading, key_slot),
];

const DISABLED: &str = "ERR This instance has cluster support disabled";

/// The node, and the reply to write.
fn node<'a>(call: &'a mut Call<'_>) -> Result<(&'a Membership, &'a mut Frames), ErrorReply> {
    let node = call.state.cluster.as_ref().ok_or(DISABLED)?;
    Ok((node, &mut call.reply))
}

fn slots(call: &mut Call<'_>) -> Answer {
    let (node, reply) = node(call)?;
    let ranges = node.ranges();
    reply.array(ranges.len());
    for (first, last, owner) in ranges {
        let replicas: Vec<&Node> = node.running_replicas(owner).collect();
        reply.array(3 + replicas.len());
        reply.integer(first.into());
        reply.integer(last.into());
        for node in [&node.topology.nodes[owner]].into_iter().chain(replicas) {
            reply.array(4);
            reply.bulk(node.addr.ip().to_string());
            reply.integer(node.addr.port().into());
            reply.bulk(&node.id);
            // No host names or other addresses.
            reply.map(0);
        }
    }
    Ok(())
}

fn shards(call: &mut Call<'_>) -> Answer {
    let (node, reply) = node(call)?;
    let primaries = node
        .known_nodes()
        .filter(|(_, node)| node.primary.is_none());
    let primaries: Vec<(usize, &Node)> = primaries.collect();
    let ranges = node.ranges();
    reply.array(primaries.len());
    for (index, primary) in primaries {
        let owned: Vec<_> = ranges
            .iter()
            .filter(|(.., owner)| *owner == index)
            .collect();
        reply.map(2);
        reply.bulk("slots");
        reply.array(owned.len() * 2);
        for (first, last, _) in owned {
            reply.integer((*first).into());
            reply.integer((*last).into());
        }
        let replicas = node.known_nodes().map(|(_, node)| node);
        let replicas: Vec<&Node> = replicas
            .filter(|node| node.primary == Some(index))
            .collect();
        reply.bulk("nodes");
        reply.array(1 + replicas.len());
        shard_node(reply, primary, "master");
        for replica in replicas {
            shard_node(reply, replica, "replica");
        }
    }
    Ok(())
}

fn shard_node(reply: &mut Frames, node: &Node, role: &str) {
    reply.map(7);
    reply.bulk("id");
    reply.bulk(&node.id);
    reply.bulk("port");
    reply.integer(node.addr.port().into());
    for name in ["ip", "endpoint"] {
        reply.bulk(name);
        reply.bulk(node.addr.ip().to_string());
    }
    reply.bulk("role");
    reply.bulk(role);
    reply.bulk("replication-offset");
    reply.integer(report::OFFSET);
    reply.bulk("health");
    reply.bulk(if node.is_down { "fail" } else { "online" });
}

fn links(call: &mut Call<'_>) -> Answer {
    let (node, reply) = node(call)?;
    reply.array(node.links.len());
    for ((peer, direction), created) in &node.links {
        reply.map(6);
        reply.bulk("direction");
        reply.bulk(match direction {
            Direction::To => "to",
            Direction::From => "from",
        });
        reply.bulk("node");
        reply.bulk(&node.topology.nodes[*peer].id);
        reply.bulk("create-time");
        reply.integer(*created);
        reply.bulk("events");
        reply.bulk("r");
        for name in ["send-buffer-allocated", "send-buffer-used"] {
            reply.bulk(name);
            reply.integer(0);
        }
    }
    Ok(())
}

fn nodes(call: &mut Call<'_>) -> Answer {
    let (node, reply) = node(call)?;
    reply.text(&report::nodes(node));
    Ok(())
}

fn cluster_info(call: &mut Call<'_>) -> Answer {
    let (node, reply) = node(call)?;
    reply.text(&report::cluster(node));
    Ok(())
}

fn my_id(call: &mut Call<'_>) -> Answer {
    let (node, reply) = node(call)?;
    reply.bulk(&node.node().id);
    Ok(())
}

fn key_slot(call: &mut Call<'_>) -> Answer {
    call.reply.integer(slot(&call.arguments[2]).into());
    Ok(())
}

fn readonly(call: &mut Call<'_>) -> Answer {
    read_from_replicas(call, true)
}

fn readwrite(call: &mut Call<'_>) -> Answer {
    read_from_replicas(call, false)
}

fn read_from_replicas(call: &mut Call<'_>, on: bool) -> Answer {
    call.client().reads_replica = on;
    call.ok()
}

/// Accepted because clients send it; a slot moves at once here, so no node ever says `ASK`.
fn asking(call: &mut Call<'_>) -> Answer {
    node(call)?;
    call.ok()
}

fn role(call: &mut Call<'_>) -> Answer {
    let (node, reply) = (call.state.cluster.as_ref(), &mut call.reply);
    if let Some(primary) = node.and_then(|node| Some(&node.topology.nodes[node.primary()?])) {
        reply.array(5);
        reply.bulk("slave");
        reply.bulk(primary.addr.ip().to_string());
        reply.integer(primary.addr.port().into());
        reply.bulk(if primary.is_down {
            "connect"
        } else {
            "connected"
        });
        reply.integer(report::OFFSET);
        return Ok(());
    }
    let replicas: Vec<&Node> = node
        .map(|node| node.running_replicas(node.me).collect())
        .unwrap_or_default();
    reply.array(3);
    reply.bulk("master");
    reply.integer(node.map_or(0, |_| report::OFFSET));
    reply.array(replicas.len());
    for replica in replicas {
        reply.array(3);
        reply.bulk(replica.addr.ip().to_string());
        reply.bulk(replica.addr.port().to_string());
        reply.bulk(report::OFFSET.to_string());
    }
    Ok(())
}

/// INFO with the sections that clients of a cluster look at. Others are empty.
fn info(call: &mut Call<'_>) -> Answer {
    let asked: Vec<Vec<u8>> = call.arguments[1..]
        .iter()
        .map(|section| section.to_ascii_lowercase())
        .collect();
    let wants = |section: &[u8]| {
        let all: [&[u8]; 3] = [b"all", b"everything", b"default"];
        let is_asked = |asked: &Vec<u8>| asked == section || all.contains(&asked.as_slice());
        asked.is_empty() || asked.iter().any(is_asked)
    };
    let node = call.state.cluster.as_ref();
    let sections = [
        wants(b"replication").then(|| report::replication(node)),
        wants(b"cluster").then(|| {
            let enabled = u8::from(node.is_some());
            format!("# Cluster\r\ncluster_enabled:{enabled}\r\n")
        }),
    ];
    let sections: Vec<String> = sections.into_iter().flatten().collect();
    call.reply.text(&sections.join("\r\n"));
    Ok(())
}
