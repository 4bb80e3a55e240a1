//! Commands on strings.

use bytes::Bytes;

use crate::testing::broker::call::{Call, Target};
use crate::testing::broker::command::{Command, When, command};
use crate::testing::broker::error::{Answer, ErrorReply, SYNTAX};
use crate::testing::broker::events::Class;
use crate::testing::broker::value::{ValueType, owned};

use super::expiry::{Unit, future_deadline};

pub(super) const COMMANDS: &[Command] = &[
    command("set", -3, When::Ready, set),
    command("get", 2, When::Ready, get),
    command("setnx", 3, When::Ready, setnx),
    command("setex", 4, When::Ready, setex),
    command("psetex", 4, When::Ready, psetex),
    command("getset", 3, When::Ready, getset),
    command("getdel", 2, When::Ready, getdel),
    command("getex", -2, When::Ready, getex),
    command("mget", -2, When::Ready, mget),
    command("mset", -3, When::Ready, mset),
    command("append", 3, When::Ready, append),
    command("strlen", 2, When::Ready, strlen),
];

fn get(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let value = call.state.read::<Bytes>(target)?;
    call.reply.bulk_or_null(value);
    Ok(())
}

/// SET with EX or PX or KEEPTTL, NX or XX, and GET.
fn set(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let options = SetOptions::parse(&call.arguments[3..])?;
    let deadline = match options.expiry {
        None => None,
        Some(Expiry::Kept) => call.state.keys.deadline(target.db, target.key).flatten(),
        Some(Expiry::In(unit, time)) => Some(future_deadline(time, unit, "set")?),
    };
    let old = if options.get {
        Some(call.state.look_up::<Bytes>(target)?.cloned())
    } else {
        None
    };
    let exists = call.state.keys.get(target.db, target.key).is_some();
    let is_allowed = options.must_exist.is_none_or(|must| must == exists);
    if is_allowed {
        let value = owned(&call.arguments[2]);
        call.state.set(target, value, deadline, "set");
        if matches!(options.expiry, Some(Expiry::In(..))) {
            notify_expire(call, target);
        }
    }
    match old {
        Some(old) => call.reply.bulk_or_null(old),
        None if is_allowed => call.reply.simple("OK"),
        None => call.reply.null(),
    }
    Ok(())
}

#[derive(Default)]
struct SetOptions<'a> {
    expiry: Option<Expiry<'a>>,
    must_exist: Option<bool>,
    get: bool,
}

/// What SET does to the deadline, instead of removing it.
enum Expiry<'a> {
    Kept,
    In(Unit, &'a [u8]),
}

impl<'a> SetOptions<'a> {
    fn parse(mut words: &'a [Bytes]) -> Result<Self, ErrorReply> {
        let mut options = Self::default();
        while let [option, rest @ ..] = words {
            words = rest;
            match (option.to_ascii_uppercase().as_slice(), rest) {
                (b"NX", _) if options.must_exist != Some(true) => options.must_exist = Some(false),
                (b"XX", _) if options.must_exist != Some(false) => options.must_exist = Some(true),
                (b"GET", _) => options.get = true,
                (b"KEEPTTL", _) if options.expiry.is_none() => options.expiry = Some(Expiry::Kept),
                (unit @ (b"EX" | b"PX"), [time, rest @ ..]) if options.expiry.is_none() => {
                    options.expiry = Some(Expiry::In(Unit::of_option(unit), time));
                    words = rest;
                }
                _ => return Err(SYNTAX.into()),
            }
        }
        Ok(options)
    }
}

/// Reports the deadline of a string that was just set.
fn notify_expire(call: &mut Call<'_>, target: Target<'_>) {
    call.state
        .notify(Class::Generic, "expire", target.db, target.key);
}

fn setnx(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let is_new = call.state.keys.get(target.db, target.key).is_none();
    if is_new {
        let value = owned(&call.arguments[2]);
        call.state.set(target, value, None, "set");
    }
    call.reply.integer(is_new.into());
    Ok(())
}

fn setex(call: &mut Call<'_>) -> Answer {
    set_for(call, Unit::Seconds, "setex")
}

fn psetex(call: &mut Call<'_>) -> Answer {
    set_for(call, Unit::Milliseconds, "psetex")
}

fn set_for(call: &mut Call<'_>, unit: Unit, command: &str) -> Answer {
    let target = call.target(&call.arguments[1]);
    let deadline = future_deadline(&call.arguments[2], unit, command)?;
    let value = owned(&call.arguments[3]);
    call.state.set(target, value, Some(deadline), "set");
    notify_expire(call, target);
    call.ok()
}

fn getset(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let old = call.state.look_up::<Bytes>(target)?.cloned();
    let value = owned(&call.arguments[2]);
    call.state.set(target, value, None, "set");
    call.reply.bulk_or_null(old);
    Ok(())
}

fn getdel(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let value = call.state.look_up::<Bytes>(target)?;
    call.reply.bulk_or_null(value);
    call.state.delete(target);
    Ok(())
}

/// GETEX with EX or PX or PERSIST.
fn getex(call: &mut Call<'_>) -> Answer {
    enum Change<'a> {
        Expire(Unit, &'a [u8]),
        Persist,
    }
    let target = call.target(&call.arguments[1]);
    let change = match &call.arguments[2..] {
        [] => None,
        [option] if option.eq_ignore_ascii_case(b"PERSIST") => Some(Change::Persist),
        [option, time] => match option.to_ascii_uppercase().as_slice() {
            unit @ (b"EX" | b"PX") => Some(Change::Expire(Unit::of_option(unit), time)),
            _ => return Err(SYNTAX.into()),
        },
        _ => return Err(SYNTAX.into()),
    };
    let Some(value) = call.state.look_up::<Bytes>(target)?.cloned() else {
        call.reply.null();
        return Ok(());
    };
    match change {
        None => {}
        Some(Change::Expire(unit, time)) => {
            let deadline = future_deadline(time, unit, "getex")?;
            call.state.set_deadline(target, Some(deadline));
        }
        Some(Change::Persist) => {
            call.state.persist(target);
        }
    }
    call.reply.bulk(value);
    Ok(())
}

/// Keys that do not hold a string count as missing.
fn mget(call: &mut Call<'_>) -> Answer {
    let keys = &call.arguments[1..];
    call.reply.array(keys.len());
    for key in keys {
        let target = call.target(key);
        let value = call.state.read_any(target).and_then(Bytes::of);
        call.reply.bulk_or_null(value);
    }
    Ok(())
}

fn mset(call: &mut Call<'_>) -> Answer {
    let pairs = &call.arguments[1..];
    if !pairs.len().is_multiple_of(2) {
        return Err(ErrorReply::wrong_number_of_arguments("mset"));
    }
    for pair in pairs.chunks(2) {
        let (target, value) = (call.target(&pair[0]), owned(&pair[1]));
        call.state.set(target, value, None, "set");
    }
    call.ok()
}

fn append(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let old = call.state.stored::<Bytes>(target)?;
    let value = [old.map_or(&[][..], |old| old), &call.arguments[2]].concat();
    let deadline = call.state.keys.deadline(target.db, target.key).flatten();
    call.reply.count(value.len());
    call.state.set(target, value, deadline, "append");
    Ok(())
}

fn strlen(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let value = call.state.read::<Bytes>(target)?;
    call.reply.count(value.map_or(0, Bytes::len));
    Ok(())
}
