//! Commands on keys: those needed to cause key events and invalidations.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::call::Call;
use super::events::Class;
use super::request::integer;

const NOT_A_NUMBER: &str = "ERR value is not an integer or out of range";

/// The most distant deadline, in milliseconds. Deadlines beyond it are refused: a clock may not be able
/// to represent them.
const FAR: u64 = 1000 * 60 * 60 * 24 * 365 * 100;

pub(super) fn get(call: &mut Call<'_>) {
    let (db, key) = (call.client().db, &call.arguments[1]);
    call.state.remember_read(call.id, key);
    match call.state.keys.get(db, key) {
        Some(value) => call.reply.bulk(value),
        None => {
            call.state.notify(Class::Missed, "keymiss", db, key);
            call.reply.null();
        }
    }
}

/// SET with EX or PX or KEEPTTL, and NX or XX.
pub(super) fn set(call: &mut Call<'_>) {
    let (db, key) = (call.client().db, &call.arguments[1]);
    let (mut deadline, mut must_exist) = (None, None);
    let mut options = &call.arguments[3..];
    while let [option, rest @ ..] = options {
        options = rest;
        match (option.to_ascii_uppercase().as_slice(), rest) {
            (b"NX", _) if must_exist != Some(true) => must_exist = Some(false),
            (b"XX", _) if must_exist != Some(false) => must_exist = Some(true),
            (b"KEEPTTL", _) if deadline.is_none() => deadline = Some(Deadline::Kept),
            (unit @ (b"EX" | b"PX"), [time, rest @ ..]) if deadline.is_none() => {
                deadline = Some(Deadline::In {
                    milliseconds: unit == b"PX",
                    time: time.clone(),
                });
                options = rest;
            }
            _ => return call.syntax_error(),
        }
    }
    let old = call.state.keys.deadline(db, key);
    let expires = match &deadline {
        None => None,
        Some(Deadline::Kept) => old.flatten(),
        Some(Deadline::In { milliseconds, time }) => match integer(time) {
            None => return call.reply.error(NOT_A_NUMBER),
            Some(time) => match after(time, *milliseconds).filter(|_| time > 0) {
                None => return call.reply.error("ERR invalid expire time in 'set' command"),
                Some(expires) => Some(expires),
            },
        },
    };
    if must_exist.is_some_and(|must_exist| must_exist != old.is_some()) {
        return call.reply.null();
    }
    call.state
        .set(call.id, db, key, &call.arguments[2], expires);
    if matches!(deadline, Some(Deadline::In { .. })) {
        call.state.notify(Class::Generic, "expire", db, key);
    }
    call.ok();
}

enum Deadline {
    Kept,
    In { milliseconds: bool, time: Bytes },
}

/// Returns the moment this many seconds or milliseconds from now; `None` if it is beyond [`FAR`].
fn after(time: i64, milliseconds: bool) -> Option<Instant> {
    let Ok(time) = u64::try_from(time) else {
        return Some(Instant::now());
    };
    let time = time
        .checked_mul(if milliseconds { 1 } else { 1000 })
        .filter(|time| *time <= FAR)?;
    Instant::now().checked_add(Duration::from_millis(time))
}

pub(super) fn expire(call: &mut Call<'_>) {
    expire_after(call, false);
}

pub(super) fn pexpire(call: &mut Call<'_>) {
    expire_after(call, true);
}

fn expire_after(call: &mut Call<'_>, milliseconds: bool) {
    let (db, key) = (call.client().db, &call.arguments[1]);
    let Some(time) = integer(&call.arguments[2]) else {
        return call.reply.error(NOT_A_NUMBER);
    };
    let Some(deadline) = after(time, milliseconds) else {
        let command = if milliseconds { "pexpire" } else { "expire" };
        return call
            .reply
            .error(format!("ERR invalid expire time in '{command}' command"));
    };
    let exists = call.state.set_deadline(call.id, db, key, Some(deadline));
    call.reply.integer(exists.into());
}

pub(super) fn persist(call: &mut Call<'_>) {
    let (db, key) = (call.client().db, &call.arguments[1]);
    let had_deadline = call.state.keys.deadline(db, key).flatten().is_some();
    if had_deadline {
        call.state.set_deadline(call.id, db, key, None);
    }
    call.reply.integer(had_deadline.into());
}

pub(super) fn ttl(call: &mut Call<'_>) {
    // Rounded to the nearest second, as the server does.
    time_left(call, |left| (left.as_millis() + 500) / 1000);
}

pub(super) fn pttl(call: &mut Call<'_>) {
    time_left(call, |left| left.as_millis());
}

fn time_left(call: &mut Call<'_>, count: fn(Duration) -> u128) {
    let (db, key) = (call.client().db, &call.arguments[1]);
    call.state.remember_read(call.id, key);
    call.reply.integer(match call.state.keys.deadline(db, key) {
        None => -2,
        Some(None) => -1,
        Some(Some(deadline)) => {
            i64::try_from(count(deadline.saturating_duration_since(Instant::now())))
                .unwrap_or(i64::MAX)
        }
    });
}

pub(super) fn del(call: &mut Call<'_>) {
    let db = call.client().db;
    let deleted = call.arguments[1..]
        .iter()
        .filter(|key| call.state.delete(call.id, db, key))
        .count();
    call.reply.count(deleted);
}

pub(super) fn exists(call: &mut Call<'_>) {
    let db = call.client().db;
    for key in &call.arguments[1..] {
        call.state.remember_read(call.id, key);
    }
    let existing = call.arguments[1..]
        .iter()
        .filter(|key| call.state.keys.get(db, key).is_some())
        .count();
    call.reply.count(existing);
}

pub(super) fn flush_all(call: &mut Call<'_>) {
    flush(call, None);
}

pub(super) fn flush_db(call: &mut Call<'_>) {
    let db = call.client().db;
    flush(call, Some(db));
}

fn flush(call: &mut Call<'_>, db: Option<usize>) {
    match &call.arguments[1..] {
        [] => {}
        [how] if how.eq_ignore_ascii_case(b"ASYNC") || how.eq_ignore_ascii_case(b"SYNC") => {}
        _ => return call.syntax_error(),
    }
    call.state.flush(call.id, db);
    call.ok();
}
