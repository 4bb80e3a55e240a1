//! Commands on subscriptions: the six that change them, the two that publish, and PUBSUB.
//! The effects are in `pubsub`.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::call::Call;
use super::command::{Command, When, command, container};
use super::error::Answer;
use super::glob;
use super::subscriptions::Kind;

pub(super) const COMMANDS: &[Command] = &[
    command("publish", 3, When::Loading, publish),
    command("spublish", 3, When::Loading, publish_shard),
    command("subscribe", -2, When::Subscribed, subscribe),
    command("unsubscribe", -1, When::Subscribed, unsubscribe),
    command("psubscribe", -2, When::Subscribed, psubscribe),
    command("punsubscribe", -1, When::Subscribed, punsubscribe),
    command("ssubscribe", -2, When::Subscribed, ssubscribe),
    command("sunsubscribe", -1, When::Subscribed, sunsubscribe),
    container("pubsub", PUBSUB),
];

const PUBSUB: &[Command] = &[
    command("pubsub|channels", -2, When::Loading, channels),
    command("pubsub|numsub", -2, When::Loading, count_subscribers),
    command("pubsub|numpat", 2, When::Loading, count_patterns),
    command("pubsub|shardchannels", -2, When::Loading, shard_channels),
    command(
        "pubsub|shardnumsub",
        -2,
        When::Loading,
        count_shard_subscribers,
    ),
];

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn subscribe(call: &mut Call<'_>) -> Answer {
    subscribe_to(call, Kind::Channel)
}

fn psubscribe(call: &mut Call<'_>) -> Answer {
    subscribe_to(call, Kind::Pattern)
}

fn ssubscribe(call: &mut Call<'_>) -> Answer {
    subscribe_to(call, Kind::Shard)
}

fn unsubscribe(call: &mut Call<'_>) -> Answer {
    unsubscribe_from(call, Kind::Channel)
}

fn punsubscribe(call: &mut Call<'_>) -> Answer {
    unsubscribe_from(call, Kind::Pattern)
}

fn sunsubscribe(call: &mut Call<'_>) -> Answer {
    unsubscribe_from(call, Kind::Shard)
}

/// Subscribes to all names or to none: a denied name refuses the whole command.
fn subscribe_to(call: &mut Call<'_>, kind: Kind) -> Answer {
    let names = &call.arguments[1..];
    if names.iter().any(|name| call.state.denied.contains(name)) {
        return Err("NOPERM No permissions to access a channel".into());
    }
    let delay = call.state.confirmation_delay;
    if !delay.is_zero() {
        // A clock cannot represent `Duration::MAX` from now; a day is as good as never.
        call.client().outbox.hold(Instant::now() + delay.min(DAY));
    }
    for name in names {
        call.state.subscribe(call.id, kind, name, &mut call.reply);
    }
    Ok(())
}

fn unsubscribe_from(call: &mut Call<'_>, kind: Kind) -> Answer {
    let names = &call.arguments[1..];
    for name in names {
        call.state.unsubscribe(call.id, kind, name, &mut call.reply);
    }
    if names.is_empty() {
        call.state.unsubscribe_all(call.id, kind, &mut call.reply);
    }
    Ok(())
}

fn publish(call: &mut Call<'_>) -> Answer {
    let receivers = call
        .state
        .publish_everywhere(&call.arguments[1], &call.arguments[2]);
    call.reply.count(receivers);
    Ok(())
}

fn publish_shard(call: &mut Call<'_>) -> Answer {
    let receivers = call
        .state
        .publish_to_shard(&call.arguments[1], &call.arguments[2]);
    call.reply.count(receivers);
    Ok(())
}

fn channels(call: &mut Call<'_>) -> Answer {
    list(call, Kind::Channel)
}

fn shard_channels(call: &mut Call<'_>) -> Answer {
    list(call, Kind::Shard)
}

fn list(call: &mut Call<'_>, kind: Kind) -> Answer {
    let pattern = match &call.arguments[2..] {
        [] => None,
        [pattern] => Some(pattern),
        _ => {
            let word = &call.arguments[1][..];
            let (start, end) = (
                b"ERR unknown subcommand or wrong number of arguments for '",
                b"'. Try PUBSUB HELP.",
            );
            return Err([&start[..], word, end].concat().into());
        }
    };
    let names = call.state.subscriptions.names(kind).keys();
    let names: Vec<&Bytes> = names
        .filter(|name| pattern.is_none_or(|pattern| glob::matches(pattern, name)))
        .collect();
    call.reply.array(names.len());
    for name in names {
        call.reply.bulk(name);
    }
    Ok(())
}

fn count_subscribers(call: &mut Call<'_>) -> Answer {
    count(call, Kind::Channel)
}

fn count_shard_subscribers(call: &mut Call<'_>) -> Answer {
    count(call, Kind::Shard)
}

fn count(call: &mut Call<'_>, kind: Kind) -> Answer {
    let names = &call.arguments[2..];
    call.reply.array(names.len() * 2);
    for name in names {
        call.reply.bulk(name);
        call.reply.count(call.state.subscriptions.count(kind, name));
    }
    Ok(())
}

fn count_patterns(call: &mut Call<'_>) -> Answer {
    call.reply
        .count(call.state.subscriptions.names(Kind::Pattern).len());
    Ok(())
}
