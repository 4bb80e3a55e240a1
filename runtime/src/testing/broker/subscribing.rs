//! Commands on subscriptions: the six that change them, the two that publish, and PUBSUB.
//! The effects are in `pubsub`.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::call::Call;
use super::glob;
use super::subscriptions::Kind;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn subscribe(call: &mut Call<'_>) {
    subscribe_to(call, Kind::Channel);
}

pub(super) fn psubscribe(call: &mut Call<'_>) {
    subscribe_to(call, Kind::Pattern);
}

pub(super) fn ssubscribe(call: &mut Call<'_>) {
    subscribe_to(call, Kind::Shard);
}

pub(super) fn unsubscribe(call: &mut Call<'_>) {
    unsubscribe_from(call, Kind::Channel);
}

pub(super) fn punsubscribe(call: &mut Call<'_>) {
    unsubscribe_from(call, Kind::Pattern);
}

pub(super) fn sunsubscribe(call: &mut Call<'_>) {
    unsubscribe_from(call, Kind::Shard);
}

/// Subscribes to all names or to none: a denied name refuses the whole command.
fn subscribe_to(call: &mut Call<'_>, kind: Kind) {
    let names = &call.arguments[1..];
    if names.iter().any(|name| call.state.denied.contains(name)) {
        return call
            .reply
            .error("NOPERM No permissions to access a channel");
    }
    let delay = call.state.confirmation_delay;
    if !delay.is_zero() {
        // A clock cannot represent `Duration::MAX` from now; a day is as good as never.
        call.client().outbox.hold(Instant::now() + delay.min(DAY));
    }
    for name in names {
        call.state.subscribe(call.id, kind, name, &mut call.reply);
    }
}

fn unsubscribe_from(call: &mut Call<'_>, kind: Kind) {
    let names = &call.arguments[1..];
    for name in names {
        call.state.unsubscribe(call.id, kind, name, &mut call.reply);
    }
    if names.is_empty() {
        call.state.unsubscribe_all(call.id, kind, &mut call.reply);
    }
}

pub(super) fn publish(call: &mut Call<'_>) {
    let receivers = call.state.publish(&call.arguments[1], &call.arguments[2]);
    call.reply.count(receivers);
}

pub(super) fn publish_shard(call: &mut Call<'_>) {
    let receivers = call
        .state
        .publish_shard(&call.arguments[1], &call.arguments[2]);
    call.reply.count(receivers);
}

pub(super) fn channels(call: &mut Call<'_>) {
    list(call, Kind::Channel);
}

pub(super) fn shard_channels(call: &mut Call<'_>) {
    list(call, Kind::Shard);
}

fn list(call: &mut Call<'_>, kind: Kind) {
    let pattern = match &call.arguments[2..] {
        [] => None,
        [pattern] => Some(pattern),
        _ => {
            let word = &call.arguments[1][..];
            let (start, end) = (
                b"ERR unknown subcommand or wrong number of arguments for '",
                b"'. Try PUBSUB HELP.",
            );
            return call.reply.error([&start[..], word, end].concat());
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
}

pub(super) fn count_subscribers(call: &mut Call<'_>) {
    count(call, Kind::Channel);
}

pub(super) fn count_shard_subscribers(call: &mut Call<'_>) {
    count(call, Kind::Shard);
}

fn count(call: &mut Call<'_>, kind: Kind) {
    let names = &call.arguments[2..];
    call.reply.array(names.len() * 2);
    for name in names {
        call.reply.bulk(name);
        call.reply.count(call.state.subscriptions.count(kind, name));
    }
}

pub(super) fn count_patterns(call: &mut Call<'_>) {
    call.reply
        .count(call.state.subscriptions.names(Kind::Pattern).len());
}
