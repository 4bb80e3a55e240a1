//! Commands on strings.

use crate::testing::broker::call::Call;
use crate::testing::broker::command::{Command, When, command};
use crate::testing::broker::error::{Answer, SYNTAX};
use crate::testing::broker::events::Class;

use super::expiry::{Unit, future_deadline};

pub(super) const COMMANDS: &[Command] = &[
    command("set", -3, When::Ready, set),
    command("get", 2, When::Ready, get),
];

fn get(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    match call.state.read_any(target) {
        Some(value) => call.reply.bulk(value),
        None => call.reply.null(),
    }
    Ok(())
}

/// SET with EX or PX or KEEPTTL, and NX or XX.
fn set(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let (mut expiry, mut must_exist) = (None, None);
    let mut options = &call.arguments[3..];
    while let [option, rest @ ..] = options {
        options = rest;
        match (option.to_ascii_uppercase().as_slice(), rest) {
            (b"NX", _) if must_exist != Some(true) => must_exist = Some(false),
            (b"XX", _) if must_exist != Some(false) => must_exist = Some(true),
            (b"KEEPTTL", _) if expiry.is_none() => expiry = Some(Expiry::Kept),
            (unit @ (b"EX" | b"PX"), [time, rest @ ..]) if expiry.is_none() => {
                expiry = Some(Expiry::In(Unit::of_option(unit), time));
                options = rest;
            }
            _ => return Err(SYNTAX.into()),
        }
    }
    let old = call.state.keys.deadline(target.db, target.key);
    let deadline = match expiry {
        None => None,
        Some(Expiry::Kept) => old.flatten(),
        Some(Expiry::In(unit, time)) => Some(future_deadline(time, unit, "set")?),
    };
    if must_exist.is_some_and(|must_exist| must_exist != old.is_some()) {
        call.reply.null();
        return Ok(());
    }
    call.state.set(target, &call.arguments[2], deadline);
    if matches!(expiry, Some(Expiry::In(..))) {
        call.state
            .notify(Class::Generic, "expire", target.db, target.key);
    }
    call.ok()
}

/// What SET does to the deadline.
enum Expiry<'a> {
    Kept,
    In(Unit, &'a [u8]),
}
