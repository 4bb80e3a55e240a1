//! Commands that change which pushes a client, or every client, receives: CLIENT TRACKING and CONFIG.

use bytes::Bytes;

use super::call::Call;
use super::command::{Command, When, command, container};
use super::error::{Answer, SYNTAX};
use super::events::Classes;
use super::glob;

pub(super) const COMMANDS: &[Command] = &[container("config", CONFIG)];

const CONFIG: &[Command] = &[
    command("config|get", -3, When::Loading, config_get),
    command("config|set", -4, When::Loading, config_set),
];

/// Subcommands of CLIENT; the others are in `session`.
pub(super) const TRACKING: Command = command("client|tracking", -3, When::Loading, tracking);
pub(super) const TRACKING_INFO: Command =
    command("client|trackinginfo", 2, When::Loading, tracking_info);
pub(super) const NO_EVICT: Command = command("client|no-evict", 3, When::Loading, no_evict);

fn tracking(call: &mut Call<'_>) -> Answer {
    let (mut by_prefix, mut no_loop, mut prefixes) = (false, false, Vec::new());
    let mut options = &call.arguments[3..];
    while let [option, rest @ ..] = options {
        options = rest;
        match (option.to_ascii_uppercase().as_slice(), rest) {
            (b"BCAST", _) => by_prefix = true,
            (b"NOLOOP", _) => no_loop = true,
            (b"PREFIX", [prefix, rest @ ..]) => {
                prefixes.push(Bytes::copy_from_slice(prefix));
                options = rest;
            }
            (b"OPTIN" | b"OPTOUT", _) | (b"REDIRECT", [_, ..]) => {
                return Err(
                    "ERR OPTIN, OPTOUT and REDIRECT are not supported by this broker".into(),
                );
            }
            _ => return Err(SYNTAX.into()),
        }
    }
    match call.arguments[2].to_ascii_uppercase().as_slice() {
        b"OFF" => call.state.stop_tracking(call.id),
        b"ON" => {
            if !by_prefix && !prefixes.is_empty() {
                return Err("ERR PREFIX option requires BCAST mode to be enabled".into());
            }
            if call
                .client()
                .tracking
                .as_ref()
                .is_some_and(|tracking| tracking.by_prefix != by_prefix)
            {
                return Err("ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.".into());
            }
            if let Some(error) = overlap(call, &prefixes) {
                return Err(error.into());
            }
            call.state
                .start_tracking(call.id, by_prefix, no_loop, prefixes);
        }
        _ => return Err(SYNTAX.into()),
    }
    call.ok()
}

fn tracking_info(call: &mut Call<'_>) -> Answer {
    let tracking = call.client().tracking.as_ref();
    let flags = match tracking {
        None => vec!["off"],
        Some(tracking) => [
            Some("on"),
            tracking.by_prefix.then_some("bcast"),
            tracking.no_loop.then_some("noloop"),
        ]
        .into_iter()
        .flatten()
        .collect(),
    };
    let redirect = if tracking.is_some() { 0 } else { -1 };
    let prefixes = tracking
        .map(|tracking| tracking.prefixes.clone())
        .unwrap_or_default();
    let reply = &mut call.reply;
    reply.map(3);
    reply.bulk("flags");
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag));
    reply.bulk("redirect");
    reply.integer(redirect);
    reply.bulk("prefixes");
    reply.array(prefixes.len());
    prefixes.iter().for_each(|prefix| reply.bulk(prefix));
    Ok(())
}

/// Returns the server's error for two prefixes of which one begins with the other.
fn overlap(call: &mut Call<'_>, prefixes: &[Bytes]) -> Option<Vec<u8>> {
    let overlapping = |a: &Bytes, b: &Bytes| a.starts_with(b) || b.starts_with(a);
    let complaint = |prefix: &Bytes, with: &[u8], other: &Bytes| {
        let end = b"'. Prefixes for a single client must not overlap.";
        [
            b"ERR Prefix '",
            &prefix[..],
            b"' overlaps with ",
            with,
            b" '",
            &other[..],
            end,
        ]
        .concat()
    };
    let existing = call
        .client()
        .tracking
        .as_ref()
        .map(|tracking| tracking.prefixes.clone())
        .unwrap_or_default();
    prefixes.iter().enumerate().find_map(|(index, prefix)| {
        let old = existing.iter().find(|old| overlapping(old, prefix));
        let new = prefixes[index + 1..]
            .iter()
            .find(|new| overlapping(new, prefix));
        old.map(|old| complaint(prefix, b"an existing prefix", old))
            .or_else(|| new.map(|new| complaint(prefix, b"another provided prefix", new)))
    })
}

/// Accepted because clients send it; this broker evicts no client.
fn no_evict(call: &mut Call<'_>) -> Answer {
    match call.arguments[2].to_ascii_lowercase().as_slice() {
        b"on" | b"off" => call.ok(),
        _ => Err(SYNTAX.into()),
    }
}

const EVENTS: &str = "notify-keyspace-events";
const PASSWORD: &str = "requirepass";

fn config_get(call: &mut Call<'_>) -> Answer {
    let settings = [
        (EVENTS, call.state.keys.events.to_string().into_bytes()),
        (
            PASSWORD,
            call.state.password.clone().unwrap_or_default().to_vec(),
        ),
    ];
    let asked: Vec<_> = settings
        .iter()
        .filter(|(name, _)| {
            let matches =
                |pattern: &Bytes| glob::matches(&pattern.to_ascii_lowercase(), name.as_bytes());
            call.arguments[2..].iter().any(matches)
        })
        .collect();
    call.reply.map(asked.len());
    for (name, value) in asked {
        call.reply.bulk(name);
        call.reply.bulk(value);
    }
    Ok(())
}

/// Applies all settings of one call, or none.
fn config_set(call: &mut Call<'_>) -> Answer {
    let pairs = &call.arguments[2..];
    if !pairs.len().is_multiple_of(2) {
        return Err(SYNTAX.into());
    }
    let (mut events, mut password) = (None, None);
    for pair in pairs.chunks(2) {
        let (name, value) = (pair[0].to_ascii_lowercase(), &pair[1]);
        let duplicate = if name == EVENTS.as_bytes() {
            let Some(classes) = Classes::parse(value) else {
                return Err(format!("ERR CONFIG SET failed (possibly related to argument '{EVENTS}') - Invalid event class character. Use 'Ag$lshzxeKEtmdn'.").into());
            };
            events.replace(classes).is_some()
        } else if name == PASSWORD.as_bytes() {
            password.replace(value).is_some()
        } else {
            let message = [
                b"ERR Unknown option or number of arguments for CONFIG SET - '",
                &pair[0][..],
                b"'",
            ];
            return Err(message.concat().into());
        };
        if duplicate {
            let name = String::from_utf8_lossy(&pair[0]);
            return Err(format!(
                "ERR CONFIG SET failed (possibly related to argument '{name}') - duplicate parameter"
            )
            .into());
        }
    }
    if let Some(events) = events {
        call.state.keys.events = events;
    }
    if let Some(password) = password {
        call.state.password = (!password.is_empty()).then(|| Bytes::copy_from_slice(password));
    }
    call.ok()
}
