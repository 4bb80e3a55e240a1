//! The table of commands: when each one may be called, and how a call is dispatched and answered.

use bytes::Bytes;

use super::call::Call;
use super::client::ClientId;
use super::reply::{Frames, Protocol};
use super::state::{BrokerState, Running};
use super::{data, session, settings, subscribing};

/// A command, or a subcommand with its full name.
pub(super) struct Command {
    name: &'static str,
    /// The number of words, including the name. A negative number is a minimum.
    arity: i64,
    when: When,
    run: Run,
}

enum Run {
    Call(fn(&mut Call<'_>)),
    /// The next word names a subcommand.
    Subcommands(&'static [Command]),
}

/// The states of a connection or of the broker in which a command may run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// In every state: before authentication, with subscriptions in RESP2, and while loading.
    Always,
    /// Before authentication and while loading, but not with subscriptions in RESP2.
    Handshake,
    /// With subscriptions in RESP2, and while loading.
    Subscribed,
    /// While loading.
    Loading,
    /// In none of these states.
    Ready,
}

const fn command(name: &'static str, arity: i64, when: When, run: fn(&mut Call<'_>)) -> Command {
    Command {
        name,
        arity,
        when,
        run: Run::Call(run),
    }
}

const fn container(name: &'static str, subcommands: &'static [Command]) -> Command {
    Command {
        name,
        arity: -2,
        when: When::Loading,
        run: Run::Subcommands(subcommands),
    }
}

/// All commands, the frequent ones first: the table is searched in this order.
const COMMANDS: &[Command] = &[
    command("publish", 3, When::Loading, subscribing::publish),
    command("spublish", 3, When::Loading, subscribing::publish_shard),
    command("set", -3, When::Ready, data::set),
    command("get", 2, When::Ready, data::get),
    command("ping", -1, When::Subscribed, session::ping),
    command("subscribe", -2, When::Subscribed, subscribing::subscribe),
    command(
        "unsubscribe",
        -1,
        When::Subscribed,
        subscribing::unsubscribe,
    ),
    command("psubscribe", -2, When::Subscribed, subscribing::psubscribe),
    command(
        "punsubscribe",
        -1,
        When::Subscribed,
        subscribing::punsubscribe,
    ),
    command("ssubscribe", -2, When::Subscribed, subscribing::ssubscribe),
    command(
        "sunsubscribe",
        -1,
        When::Subscribed,
        subscribing::sunsubscribe,
    ),
    container("pubsub", PUBSUB),
    command("del", -2, When::Ready, data::del),
    command("exists", -2, When::Ready, data::exists),
    command("expire", 3, When::Ready, data::expire),
    command("pexpire", 3, When::Ready, data::pexpire),
    command("persist", 2, When::Ready, data::persist),
    command("ttl", 2, When::Ready, data::ttl),
    command("pttl", 2, When::Ready, data::pttl),
    command("flushall", -1, When::Ready, data::flush_all),
    command("flushdb", -1, When::Ready, data::flush_db),
    command("echo", 2, When::Loading, session::echo),
    command("select", 2, When::Loading, session::select),
    command("hello", -1, When::Handshake, session::hello),
    command("auth", -2, When::Handshake, session::auth),
    command("quit", -1, When::Always, session::quit),
    command("reset", 1, When::Always, session::reset),
    container("client", CLIENT),
    container("config", CONFIG),
];

const CLIENT: &[Command] = &[
    command("client|setinfo", 4, When::Loading, session::set_info),
    command("client|setname", 3, When::Loading, session::set_name),
    command("client|getname", 2, When::Loading, session::get_name),
    command("client|id", 2, When::Loading, session::id),
    command("client|kill", -3, When::Loading, session::kill),
    command("client|tracking", -3, When::Loading, settings::tracking),
    command(
        "client|trackinginfo",
        2,
        When::Loading,
        settings::tracking_info,
    ),
    command("client|no-evict", 3, When::Loading, settings::no_evict),
];

const CONFIG: &[Command] = &[
    command("config|get", -3, When::Loading, settings::config_get),
    command("config|set", -4, When::Loading, settings::config_set),
];

const PUBSUB: &[Command] = &[
    command("pubsub|channels", -2, When::Loading, subscribing::channels),
    command(
        "pubsub|numsub",
        -2,
        When::Loading,
        subscribing::count_subscribers,
    ),
    command(
        "pubsub|numpat",
        2,
        When::Loading,
        subscribing::count_patterns,
    ),
    command(
        "pubsub|shardchannels",
        -2,
        When::Loading,
        subscribing::shard_channels,
    ),
    command(
        "pubsub|shardnumsub",
        -2,
        When::Loading,
        subscribing::count_shard_subscribers,
    ),
];

/// Runs a command. Its reply is sent first, then the pushes that it caused for its own client.
pub(super) fn run(state: &mut BrokerState, id: ClientId, arguments: &[Bytes]) {
    let Some(protocol) = state.clients.get(&id).map(|client| client.protocol) else {
        return;
    };
    state.running = Some(Running {
        id,
        messages: Vec::new(),
        invalidations: Vec::new(),
    });
    let mut call = Call {
        state,
        id,
        arguments,
        reply: Frames::new(protocol),
    };
    dispatch(&mut call);
    let reply = call.reply.bytes;
    let running = state.running.take();
    if let Some(client) = state.clients.get(&id) {
        client.outbox.append(&reply);
        if let Some(running) = running {
            client.outbox.append(&running.messages);
            client.outbox.append(&running.invalidations);
        }
    }
}

fn dispatch(call: &mut Call<'_>) {
    let authenticated = call.client().authenticated;
    let command = match find(call.arguments) {
        Ok(command) => command,
        Err(message) => {
            // An unauthenticated client must not learn which commands exist.
            return call.reply.error(if authenticated {
                message
            } else {
                NOAUTH.into()
            });
        }
    };
    let words = i64::try_from(call.arguments.len()).unwrap_or(i64::MAX);
    if !authenticated && !matches!(command.when, When::Always | When::Handshake) {
        return call.reply.error(NOAUTH);
    }
    if words < command.arity.abs() || command.arity > 0 && words != command.arity {
        return call.reply.error(format!(
            "ERR wrong number of arguments for '{}' command",
            command.name
        ));
    }
    let client = call.client();
    let subscribed = client.protocol == Protocol::Resp2 && client.is_subscribed();
    if subscribed && !matches!(command.when, When::Always | When::Subscribed) {
        return call.reply.error(format!(
            "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
            command.name
        ));
    }
    if call.state.loading && (command.when == When::Ready || command.name == "ping") {
        return call
            .reply
            .error("LOADING Redis is loading the dataset in memory");
    }
    if let Run::Call(run) = command.run {
        run(call);
    }
}

const NOAUTH: &str = "NOAUTH Authentication required.";

/// Returns the command of a request, or the error text if there is none.
fn find(arguments: &[Bytes]) -> Result<&'static Command, Vec<u8>> {
    let name: &[u8] = arguments.first().map_or(&[], |name| name);
    let known = COMMANDS
        .iter()
        .find(|known| known.name.as_bytes().eq_ignore_ascii_case(name));
    let command = known.ok_or_else(|| unknown(arguments))?;
    let (Run::Subcommands(subcommands), Some(word)) = (&command.run, arguments.get(1)) else {
        return Ok(command);
    };
    let full = [command.name.as_bytes(), b"|", &word.to_ascii_lowercase()].concat();
    subcommands
        .iter()
        .find(|known| known.name.as_bytes() == full)
        .ok_or_else(|| {
            let shown = printed(word, 128);
            let container = command.name.to_ascii_uppercase();
            [
                b"ERR unknown subcommand '",
                shown,
                format!("'. Try {container} HELP.").as_bytes(),
            ]
            .concat()
        })
}

/// Returns the server's error for an unknown command, with its arguments up to a length.
fn unknown(arguments: &[Bytes]) -> Vec<u8> {
    let mut shown = Vec::new();
    for argument in arguments.iter().skip(1) {
        if shown.len() >= 128 {
            break;
        }
        let argument = printed(argument, 128 - shown.len());
        shown = [&shown, &b"'"[..], argument, b"' "].concat();
    }
    let name = arguments.first().map_or(&[][..], |name| printed(name, 128));
    [
        b"ERR unknown command '",
        name,
        b"', with args beginning with: ",
        &shown,
    ]
    .concat()
}

/// Returns an argument as the server prints it: cut at a length and at the first zero byte.
fn printed(argument: &[u8], length: usize) -> &[u8] {
    let argument = &argument[..argument.len().min(length)];
    argument.split(|byte| *byte == 0).next().unwrap_or_default()
}
