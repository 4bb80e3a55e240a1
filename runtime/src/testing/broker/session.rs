//! Commands about the connection itself.

use bytes::Bytes;

use super::call::Call;
use super::command::{Command, When, command, container};
use super::error::{Answer, NOT_AN_INTEGER, SYNTAX};
use super::reply::Protocol;
use super::request::integer;
use super::settings;

pub(super) const COMMANDS: &[Command] = &[
    command("ping", -1, When::Subscribed, ping),
    command("echo", 2, When::Loading, echo),
    command("select", 2, When::Loading, select),
    command("hello", -1, When::Handshake, hello),
    command("auth", -2, When::Handshake, auth),
    command("quit", -1, When::Always, quit),
    command("reset", 1, When::Always, reset),
    container("client", CLIENT),
];

const CLIENT: &[Command] = &[
    command("client|setinfo", 4, When::Loading, set_info),
    command("client|setname", 3, When::Loading, set_name),
    command("client|getname", 2, When::Loading, get_name),
    command("client|id", 2, When::Loading, id),
    command("client|kill", -3, When::Loading, kill),
    settings::TRACKING,
    settings::TRACKING_INFO,
    settings::NO_EVICT,
];

const WRONGPASS: &str = "WRONGPASS invalid username-password pair or user is disabled.";

fn ping(call: &mut Call<'_>) -> Answer {
    if call.arguments.len() > 2 {
        return Err("ERR wrong number of arguments for 'ping' command".into());
    }
    let text = call.arguments.get(1).cloned();
    let client = call.client();
    if client.protocol == Protocol::Resp2 && client.is_subscribed() {
        call.reply.array(2);
        call.reply.bulk("pong");
        call.reply.bulk(text.unwrap_or_default());
        return Ok(());
    }
    match text {
        Some(text) => call.reply.bulk(text),
        None => call.reply.simple("PONG"),
    }
    Ok(())
}

fn echo(call: &mut Call<'_>) -> Answer {
    call.reply.bulk(&call.arguments[1]);
    Ok(())
}

fn select(call: &mut Call<'_>) -> Answer {
    let db = integer(&call.arguments[1]).ok_or(NOT_AN_INTEGER)?;
    match usize::try_from(db) {
        Ok(db) if db < call.state.databases() => call.client().db = db,
        _ => return Err("ERR DB index is out of range".into()),
    }
    call.ok()
}

fn hello(call: &mut Call<'_>) -> Answer {
    let protocol = match call.arguments.get(1).map(|version| integer(version)) {
        None => None,
        Some(Some(2)) => Some(Protocol::Resp2),
        Some(Some(3)) => Some(Protocol::Resp3),
        Some(Some(_)) => return Err("NOPROTO unsupported protocol version".into()),
        Some(None) => {
            return Err("ERR Protocol version is not an integer or out of range".into());
        }
    };
    let (mut name, mut credentials) = (None, None);
    let mut options = call.arguments.get(2..).unwrap_or_default();
    while let [option, rest @ ..] = options {
        options = if option.eq_ignore_ascii_case(b"AUTH") && rest.len() >= 2 {
            credentials = Some((rest[0].clone(), rest[1].clone()));
            &rest[2..]
        } else if option.eq_ignore_ascii_case(b"SETNAME") && !rest.is_empty() {
            name = Some(rest[0].clone());
            &rest[1..]
        } else {
            let message = [b"ERR Syntax error in HELLO option '", &option[..], b"'"];
            return Err(message.concat().into());
        };
    }
    if let Some((user, password)) = credentials {
        if !may_enter(call, &user, &password) {
            return Err(WRONGPASS.into());
        }
        call.client().authenticated = true;
    }
    if !call.client().authenticated {
        return Err(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
                .into(),
        );
    }
    if let Some(name) = name {
        rename(call, &name)?;
    }
    if let Some(protocol) = protocol {
        call.client().protocol = protocol;
        call.reply.protocol = protocol;
    }
    greet(call);
    Ok(())
}

fn greet(call: &mut Call<'_>) {
    let (id, reply) = (call.id, &mut call.reply);
    reply.map(7);
    for (key, value) in [
        ("server", "redis-push-broker"),
        ("version", env!("CARGO_PKG_VERSION")),
    ] {
        reply.bulk(key);
        reply.bulk(value);
    }
    reply.bulk("proto");
    reply.integer(if reply.protocol == Protocol::Resp3 {
        3
    } else {
        2
    });
    reply.bulk("id");
    reply.integer(id.cast_signed());
    let (mode, role) = match &call.state.cluster {
        None => ("standalone", "master"),
        Some(node) if node.primary().is_none() => ("cluster", "master"),
        Some(_) => ("cluster", "replica"),
    };
    for (key, value) in [("mode", mode), ("role", role)] {
        reply.bulk(key);
        reply.bulk(value);
    }
    reply.bulk("modules");
    reply.array(0);
}

fn auth(call: &mut Call<'_>) -> Answer {
    let (user, password) = match &call.arguments[1..] {
        [_] if call.state.password.is_none() => {
            return Err("ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?".into());
        }
        [password] => (Bytes::from_static(b"default"), password.clone()),
        [user, password] => (user.clone(), password.clone()),
        _ => return Err(SYNTAX.into()),
    };
    if !may_enter(call, &user, &password) {
        return Err(WRONGPASS.into());
    }
    call.client().authenticated = true;
    call.ok()
}

/// Checks a user's password. A default user without a password accepts any.
fn may_enter(call: &Call<'_>, user: &[u8], password: &[u8]) -> bool {
    match (user, &call.state.password) {
        (b"default", None) => true,
        (b"default", Some(expected)) => expected == password,
        _ => call
            .state
            .users
            .get(user)
            .is_some_and(|expected| expected == password),
    }
}

fn quit(call: &mut Call<'_>) -> Answer {
    call.client().leaving = true;
    call.ok()
}

/// Resets the connection to the state of a new one.
fn reset(call: &mut Call<'_>) -> Answer {
    call.state.unsubscribe_everything(call.id);
    call.state.stop_tracking(call.id);
    call.state.discard(call.id);
    let open = call.state.password.is_none();
    let client = call.client();
    client.authenticated = open;
    client.protocol = Protocol::Resp2;
    client.name.clear();
    client.db = 0;
    client.reads_replica = false;
    call.reply.simple("RESET");
    Ok(())
}

fn set_info(call: &mut Call<'_>) -> Answer {
    let attribute = &call.arguments[2];
    if attribute.eq_ignore_ascii_case(b"LIB-NAME") || attribute.eq_ignore_ascii_case(b"LIB-VER") {
        call.ok()
    } else {
        let message = [b"ERR Unrecognized option '", &attribute[..], b"'"];
        Err(message.concat().into())
    }
}

fn set_name(call: &mut Call<'_>) -> Answer {
    rename(call, &call.arguments[2])?;
    call.ok()
}

fn rename(call: &mut Call<'_>, name: &[u8]) -> Answer {
    if !name.iter().all(u8::is_ascii_graphic) {
        return Err(
            "ERR Client names cannot contain spaces, newlines or special characters.".into(),
        );
    }
    call.client().name = Bytes::copy_from_slice(name);
    Ok(())
}

fn get_name(call: &mut Call<'_>) -> Answer {
    let name = call.client().name.clone();
    if name.is_empty() {
        call.reply.null();
    } else {
        call.reply.bulk(name);
    }
    Ok(())
}

fn id(call: &mut Call<'_>) -> Answer {
    call.reply.integer(call.id.cast_signed());
    Ok(())
}

/// CLIENT KILL by ID, TYPE and SKIPME. The old form by address never finds a client.
fn kill(call: &mut Call<'_>) -> Answer {
    let filters = &call.arguments[2..];
    if filters.len() == 1 {
        return Err("ERR No such client".into());
    }
    let (mut id, mut subscribed, mut skip_me) = (None, None, true);
    for filter in filters.chunks(2) {
        match filter {
            [name, value] if name.eq_ignore_ascii_case(b"ID") => {
                id = match integer(value).map(u64::try_from) {
                    Some(Ok(value)) if value > 0 => Some(value),
                    _ => return Err("ERR client-id should be greater than 0".into()),
                };
            }
            [name, value] if name.eq_ignore_ascii_case(b"TYPE") => {
                subscribed = match value.to_ascii_lowercase().as_slice() {
                    b"pubsub" => Some(true),
                    b"normal" => Some(false),
                    _ => {
                        let message = [b"ERR Unknown client type '", &value[..], b"'"];
                        return Err(message.concat().into());
                    }
                };
            }
            [name, value] if name.eq_ignore_ascii_case(b"SKIPME") => {
                skip_me = match value.to_ascii_lowercase().as_slice() {
                    b"yes" => true,
                    b"no" => false,
                    _ => return Err(SYNTAX.into()),
                };
            }
            _ => return Err(SYNTAX.into()),
        }
    }
    let me = call.id;
    let killed: Vec<_> = call
        .state
        .clients
        .iter()
        .filter(|(other, client)| {
            id.is_none_or(|id| id == **other)
                && subscribed.is_none_or(|subscribed| subscribed == client.is_subscribed())
                && !(skip_me && me == **other)
        })
        .map(|(other, _)| *other)
        .collect();
    call.reply.count(killed.len());
    for other in killed {
        if other == me {
            // The client still gets this reply.
            call.client().leaving = true;
        } else {
            call.state.disconnect(other);
        }
    }
    Ok(())
}
