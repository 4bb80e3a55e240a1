//! Where a command may run: keys and sharded channels belong to the node that owns their slot.

use bytes::Bytes;

use super::membership::Membership;
use super::slot::slot;
use crate::testing::broker::call::Call;
use crate::testing::broker::command::{Command, When};
use crate::testing::broker::error::{Answer, ErrorReply};

const CROSSSLOT: &str = "CROSSSLOT Keys in request don't hash to the same slot";
const UNSERVED: &str = "CLUSTERDOWN Hash slot not served";
const DOWN: &str = "CLUSTERDOWN The cluster is down";
const READONLY: &str = "READONLY You can't write against a read only replica.";

/// Refuses a command that another node has to run.
pub(in crate::testing::broker) fn check(call: &Call<'_>, command: &Command) -> Answer {
    let (Some(node), Some(client)) = (&call.state.cluster, call.state.clients.get(&call.id)) else {
        return Ok(());
    };
    let queued = client.transaction.queue.as_deref().unwrap_or_default();
    let (names, is_read): (Vec<&Bytes>, bool) = match command.name {
        "exec" => (
            queued
                .iter()
                .flat_map(|queued| names(queued.command, &queued.arguments))
                .collect(),
            queued.iter().all(|queued| is_read(queued.command)),
        ),
        _ => (names(command, call.arguments).collect(), is_read(command)),
    };
    let is_sharded = is_sharded(command);
    // A name that the client has no right to is refused as such, wherever its slot is.
    if is_sharded && names.iter().any(|name| call.state.denied.contains(*name)) {
        return Ok(());
    }
    if node.is_replica() && matches!(command.name, "flushall" | "flushdb") {
        return Err(READONLY.into());
    }
    let Some((slot, owner)) = owner(node, &names)? else {
        return Ok(());
    };
    if node.is_failing() && !is_sharded {
        return Err(DOWN.into());
    }
    let may_replica = is_sharded || is_read && client.reads_replica;
    if owner == node.me || may_replica && node.primary() == Some(owner) {
        return Ok(());
    }
    let addr = node.topology.nodes[owner].addr;
    Err(format!("MOVED {slot} {addr}").into())
}

/// Whether an error is one of [`check`].
pub(in crate::testing::broker) fn is_redirection(error: &ErrorReply) -> bool {
    let codes: [&[u8]; 3] = [b"MOVED ", b"CROSSSLOT ", b"CLUSTERDOWN "];
    codes.iter().any(|code| error.0.starts_with(code))
}

/// Returns the slot of all names, and its owner; `None` without a name.
fn owner(node: &Membership, names: &[&Bytes]) -> Result<Option<(u16, usize)>, ErrorReply> {
    let Some((first, rest)) = names.split_first() else {
        return Ok(None);
    };
    let all = slot(first);
    let owner = node.owner(all).ok_or(UNSERVED)?;
    if rest.iter().any(|name| slot(name) != all) {
        return Err(CROSSSLOT.into());
    }
    Ok(Some((all, owner)))
}

fn is_sharded(command: &Command) -> bool {
    matches!(command.name, "ssubscribe" | "sunsubscribe" | "spublish")
}

/// The keys of a command, or its sharded channels.
fn names<'a>(command: &Command, arguments: &'a [Bytes]) -> impl Iterator<Item = &'a Bytes> {
    let (end, step) = match command.name {
        "ssubscribe" | "sunsubscribe" | "del" | "unlink" | "exists" | "mget" | "watch" => {
            (arguments.len(), 1)
        }
        "mset" => (arguments.len(), 2),
        "keys" | "scan" | "dbsize" | "flushall" | "flushdb" => (1, 1),
        "spublish" => (2, 1),
        _ if command.when == When::Ready => (2, 1),
        _ => (1, 1),
    };
    arguments[1.min(end)..end].iter().step_by(step)
}

/// Whether a replica can run a command of a client that accepts its data.
fn is_read(command: &Command) -> bool {
    const READS: &[&str] = &[
        "exists",
        "type",
        "ttl",
        "pttl",
        "get",
        "mget",
        "strlen",
        "hget",
        "hmget",
        "hgetall",
        "hkeys",
        "hvals",
        "hlen",
        "hexists",
        "lrange",
        "llen",
        "lindex",
        "smembers",
        "sismember",
        "smismember",
        "scard",
        "zscore",
        "zmscore",
        "zcard",
        "zcount",
        "zrank",
        "zrevrank",
        "zrange",
        "zrevrange",
        "zrangebyscore",
        "zrevrangebyscore",
    ];
    command.when != When::Ready || READS.contains(&command.name)
}
