//! Commands on strings that hold a number.

use bytes::Bytes;

use crate::testing::broker::call::Call;
use crate::testing::broker::command::{Command, When, command};
use crate::testing::broker::error::{Answer, NOT_AN_INTEGER, OVERFLOW};
use crate::testing::broker::request::integer;

pub(super) const COMMANDS: &[Command] = &[
    command("incr", 2, When::Ready, incr),
    command("decr", 2, When::Ready, decr),
    command("incrby", 3, When::Ready, incrby),
    command("decrby", 3, When::Ready, decrby),
];

fn incr(call: &mut Call<'_>) -> Answer {
    add(call, 1)
}

fn decr(call: &mut Call<'_>) -> Answer {
    add(call, -1)
}

fn incrby(call: &mut Call<'_>) -> Answer {
    let number = integer(&call.arguments[2]).ok_or(NOT_AN_INTEGER)?;
    add(call, number)
}

fn decrby(call: &mut Call<'_>) -> Answer {
    let number = integer(&call.arguments[2]).ok_or(NOT_AN_INTEGER)?;
    add(
        call,
        number.checked_neg().ok_or("ERR decrement would overflow")?,
    )
}

fn add(call: &mut Call<'_>, number: i64) -> Answer {
    let target = call.target(&call.arguments[1]);
    let old = match call.state.stored::<Bytes>(target)? {
        Some(text) => integer(text).ok_or(NOT_AN_INTEGER)?,
        None => 0,
    };
    let sum = old.checked_add(number).ok_or(OVERFLOW)?;
    let deadline = call.state.keys.deadline(target.db, target.key).flatten();
    call.state.set(target, sum.to_string(), deadline, "incrby");
    call.reply.integer(sum);
    Ok(())
}
