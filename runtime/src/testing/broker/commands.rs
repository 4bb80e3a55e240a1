//! Running a command: finding it, checking whether it may run now, and sending its reply.

use bytes::Bytes;

use super::call::Call;
use super::client::ClientId;
use super::cluster::{self, routing};
use super::command::{Command, Run, When};
use super::error::{Answer, ErrorReply};
use super::reply::{Frames, Protocol};
use super::state::{BrokerState, Running};
use super::{data, session, settings, subscribing, transactions};

/// The commands that are not on keys.
const TABLES: &[&[Command]] = &[
    subscribing::COMMANDS,
    transactions::COMMANDS,
    session::COMMANDS,
    settings::COMMANDS,
    cluster::COMMANDS,
];

/// Runs a command. Its reply is sent first, then the pushes that it caused for its own client.
pub(super) fn run(state: &mut BrokerState, id: ClientId, arguments: &[Bytes]) {
    state.expire();
    let Some(client) = state.clients.get(&id) else {
        return;
    };
    let (protocol, db) = (client.protocol, client.db);
    state.running = Some(Running {
        id,
        messages: Vec::new(),
        invalidations: Vec::new(),
    });
    let mut call = Call {
        state,
        id,
        db,
        arguments,
        reply: Frames::new(protocol),
    };
    if let Err(error) = dispatch(&mut call) {
        call.reply.error(&error.0);
    }
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

fn dispatch(call: &mut Call<'_>) -> Answer {
    let command = match admitted(call) {
        Ok(command) => command,
        Err(error) => return Err(transactions::refused(call, error)),
    };
    if transactions::is_queued(call, command) {
        transactions::queue(call, command)
    } else {
        command.call(call)
    }
}

/// Returns the command of a call, if it may run now.
fn admitted(call: &mut Call<'_>) -> Result<&'static Command, ErrorReply> {
    let authenticated = call.client().authenticated;
    let command = match find(call.arguments) {
        Ok(command) => command,
        // An unauthenticated client must not learn which commands exist.
        Err(_) if !authenticated => return Err(NOAUTH.into()),
        Err(unknown) => return Err(unknown),
    };
    if !authenticated && !matches!(command.when, When::Always | When::Handshake) {
        return Err(NOAUTH.into());
    }
    let words = i64::try_from(call.arguments.len()).unwrap_or(i64::MAX);
    if words < command.arity.abs() || command.arity > 0 && words != command.arity {
        return Err(ErrorReply::wrong_number_of_arguments(command.name));
    }
    let client = call.client();
    let subscribed = client.protocol == Protocol::Resp2 && client.is_subscribed();
    if subscribed && !matches!(command.when, When::Always | When::Subscribed) {
        let name = command.name;
        return Err(format!(
            "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
        )
        .into());
    }
    let queue = call.client().transaction.queue.as_deref();
    if queue.is_some() && matches!(command.name, "multi" | "watch") {
        let name = command.name;
        return Err(format!("ERR Command '{name}' not allowed inside a transaction").into());
    }
    routing::check(call, command)?;
    let queue = call.client().transaction.queue.as_deref();
    let needs_data = |command: &Command| command.when == When::Ready || command.name == "ping";
    let needs_data = match queue {
        Some(queue) if command.name == "exec" => {
            queue.iter().any(|queued| needs_data(queued.command))
        }
        _ => needs_data(command),
    };
    if call.state.loading && needs_data {
        return Err("LOADING Redis is loading the dataset in memory".into());
    }
    Ok(command)
}

const NOAUTH: &str = "NOAUTH Authentication required.";

/// Returns the command of a request, or the error if there is none.
fn find(arguments: &[Bytes]) -> Result<&'static Command, ErrorReply> {
    let name: &[u8] = arguments.first().map_or(&[], |name| name);
    let tables = TABLES.iter().chain(data::TABLES);
    let known = tables
        .copied()
        .flatten()
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
            let hint = format!("'. Try {} HELP.", command.name.to_ascii_uppercase());
            let text = [b"ERR unknown subcommand '", shown, hint.as_bytes()];
            text.concat().into()
        })
}

/// Returns the server's error for an unknown command, with its arguments up to a length.
fn unknown(arguments: &[Bytes]) -> ErrorReply {
    let mut shown = Vec::new();
    for argument in arguments.iter().skip(1) {
        if shown.len() >= 128 {
            break;
        }
        let argument = printed(argument, 128 - shown.len());
        shown = [&shown, &b"'"[..], argument, b"' "].concat();
    }
    let name = arguments.first().map_or(&[][..], |name| printed(name, 128));
    let text = [
        b"ERR unknown command '",
        name,
        b"', with args beginning with: ",
        &shown,
    ];
    text.concat().into()
}

/// Returns an argument as the server prints it: cut at a length and at the first zero byte.
fn printed(argument: &[u8], length: usize) -> &[u8] {
    let argument = &argument[..argument.len().min(length)];
    argument.split(|byte| *byte == 0).next().unwrap_or_default()
}
