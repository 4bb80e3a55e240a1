//! Commands about the connection itself.

use bytes::Bytes;

use super::call::Call;
use super::keys::DATABASES;
use super::reply::Protocol;
use super::request::integer;

const WRONGPASS: &str = "WRONGPASS invalid username-password pair or user is disabled.";

pub(super) fn ping(call: &mut Call<'_>) {
    if call.arguments.len() > 2 {
        return call
            .reply
            .error("ERR wrong number of arguments for 'ping' command");
    }
    let text = call.arguments.get(1).cloned();
    let client = call.client();
    if client.protocol == Protocol::Resp2 && client.is_subscribed() {
        call.reply.array(2);
        call.reply.bulk("pong");
        return call.reply.bulk(text.unwrap_or_default());
    }
    match text {
        Some(text) => call.reply.bulk(text),
        None => call.reply.simple("PONG"),
    }
}

pub(super) fn echo(call: &mut Call<'_>) {
    call.reply.bulk(&call.arguments[1]);
}

pub(super) fn select(call: &mut Call<'_>) {
    match integer(&call.arguments[1]).map(usize::try_from) {
        None => call
            .reply
            .error("ERR value is not an integer or out of range"),
        Some(Ok(db)) if db < DATABASES => {
            call.client().db = db;
            call.ok();
        }
        Some(_) => call.reply.error("ERR DB index is out of range"),
    }
}

pub(super) fn hello(call: &mut Call<'_>) {
    let protocol = match call.arguments.get(1).map(|version| integer(version)) {
        None => None,
        Some(Some(2)) => Some(Protocol::Resp2),
        Some(Some(3)) => Some(Protocol::Resp3),
        Some(Some(_)) => return call.reply.error("NOPROTO unsupported protocol version"),
        Some(None) => {
            return call
                .reply
                .error("ERR Protocol version is not an integer or out of range");
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
            return call
                .reply
                .error([b"ERR Syntax error in HELLO option '", &option[..], b"'"].concat());
        };
    }
    if let Some((user, password)) = credentials {
        if !may_enter(call, &user, &password) {
            return call.reply.error(WRONGPASS);
        }
        call.client().authenticated = true;
    }
    if !call.client().authenticated {
        return call.reply.error(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
        );
    }
    if name.is_some_and(|name| !rename(call, &name)) {
        return;
    }
    if let Some(protocol) = protocol {
        call.client().protocol = protocol;
        call.reply.protocol = protocol;
    }
    greet(call);
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
    for (key, value) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(key);
        reply.bulk(value);
    }
    reply.bulk("modules");
    reply.array(0);
}

pub(super) fn auth(call: &mut Call<'_>) {
    let (user, password) = match &call.arguments[1..] {
        [_] if call.state.password.is_none() => {
            return call.reply.error("ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?");
        }
        [password] => (Bytes::from_static(b"default"), password.clone()),
        [user, password] => (user.clone(), password.clone()),
        _ => return call.syntax_error(),
    };
    if may_enter(call, &user, &password) {
        call.client().authenticated = true;
        call.ok();
    } else {
        call.reply.error(WRONGPASS);
    }
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

pub(super) fn quit(call: &mut Call<'_>) {
    call.client().leaving = true;
    call.ok();
}

/// Resets the connection to the state of a new one.
pub(super) fn reset(call: &mut Call<'_>) {
    call.state.unsubscribe_everything(call.id);
    call.state.stop_tracking(call.id);
    let open = call.state.password.is_none();
    let client = call.client();
    client.authenticated = open;
    client.protocol = Protocol::Resp2;
    client.name.clear();
    client.db = 0;
    call.reply.simple("RESET");
}

pub(super) fn set_info(call: &mut Call<'_>) {
    let attribute = &call.arguments[2];
    if attribute.eq_ignore_ascii_case(b"LIB-NAME") || attribute.eq_ignore_ascii_case(b"LIB-VER") {
        call.ok();
    } else {
        call.reply
            .error([b"ERR Unrecognized option '", &attribute[..], b"'"].concat());
    }
}

pub(super) fn set_name(call: &mut Call<'_>) {
    if rename(call, &call.arguments[2].clone()) {
        call.ok();
    }
}

fn rename(call: &mut Call<'_>, name: &[u8]) -> bool {
    let printable = name.iter().all(u8::is_ascii_graphic);
    if printable {
        call.client().name = Bytes::copy_from_slice(name);
    } else {
        call.reply
            .error("ERR Client names cannot contain spaces, newlines or special characters.");
    }
    printable
}

pub(super) fn get_name(call: &mut Call<'_>) {
    let name = call.client().name.clone();
    if name.is_empty() {
        call.reply.null();
    } else {
        call.reply.bulk(name);
    }
}

pub(super) fn id(call: &mut Call<'_>) {
    call.reply.integer(call.id.cast_signed());
}

/// CLIENT KILL by ID, TYPE and SKIPME. The old form by address never finds a client.
pub(super) fn kill(call: &mut Call<'_>) {
    let filters = &call.arguments[2..];
    if filters.len() == 1 {
        return call.reply.error("ERR No such client");
    }
    let (mut id, mut subscribed, mut skip_me) = (None, None, true);
    for filter in filters.chunks(2) {
        match filter {
            [name, value] if name.eq_ignore_ascii_case(b"ID") => {
                id = match integer(value).map(u64::try_from) {
                    Some(Ok(value)) if value > 0 => Some(value),
                    _ => return call.reply.error("ERR client-id should be greater than 0"),
                };
            }
            [name, value] if name.eq_ignore_ascii_case(b"TYPE") => {
                subscribed = match value.to_ascii_lowercase().as_slice() {
                    b"pubsub" => Some(true),
                    b"normal" => Some(false),
                    _ => {
                        return call
                            .reply
                            .error([b"ERR Unknown client type '", &value[..], b"'"].concat());
                    }
                };
            }
            [name, value] if name.eq_ignore_ascii_case(b"SKIPME") => {
                skip_me = match value.to_ascii_lowercase().as_slice() {
                    b"yes" => true,
                    b"no" => false,
                    _ => return call.syntax_error(),
                };
            }
            _ => return call.syntax_error(),
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
}
