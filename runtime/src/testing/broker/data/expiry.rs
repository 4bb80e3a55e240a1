//! Commands on the deadlines of keys.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::testing::broker::call::Call;
use crate::testing::broker::command::{Command, When, command};
use crate::testing::broker::error::{Answer, ErrorReply, NOT_AN_INTEGER};
use crate::testing::broker::request::integer;

pub(super) const COMMANDS: &[Command] = &[
    command("expire", -3, When::Ready, expire),
    command("pexpire", -3, When::Ready, pexpire),
    command("persist", 2, When::Ready, persist),
    command("ttl", 2, When::Ready, ttl),
    command("pttl", 2, When::Ready, pttl),
];

/// The most distant deadline, in milliseconds. Deadlines beyond it are refused: a clock may not be able
/// to represent them.
const FAR: i64 = 1000 * 60 * 60 * 24 * 365 * 100;

/// A unit of time in which a command counts.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
}

impl Unit {
    /// The unit of the option `EX` or `PX`, in capitals.
    pub(super) fn of_option(option: &[u8]) -> Self {
        match option {
            b"PX" => Self::Milliseconds,
            _ => Self::Seconds,
        }
    }
}

/// Parses a time from now; `None` if it is not in the future. The error names the command.
fn deadline(text: &[u8], unit: Unit, command: &str) -> Result<Option<Instant>, ErrorReply> {
    let time = integer(text).ok_or(NOT_AN_INTEGER)?;
    let milliseconds = match unit {
        Unit::Seconds => time.checked_mul(1000),
        Unit::Milliseconds => Some(time),
    };
    match milliseconds {
        Some(..=0) => Ok(None),
        Some(ahead @ ..=FAR) => {
            let ahead = Duration::from_millis(ahead.unsigned_abs());
            Ok(Instant::now().checked_add(ahead))
        }
        _ => Err(invalid(command)),
    }
}

/// Parses a time from now, which must be in the future. The error names the command.
pub(super) fn future_deadline(
    text: &[u8],
    unit: Unit,
    command: &str,
) -> Result<Instant, ErrorReply> {
    deadline(text, unit, command)?.ok_or_else(|| invalid(command))
}

fn invalid(command: &str) -> ErrorReply {
    format!("ERR invalid expire time in '{command}' command").into()
}

fn expire(call: &mut Call<'_>) -> Answer {
    expire_after(call, Unit::Seconds, "expire")
}

fn pexpire(call: &mut Call<'_>) -> Answer {
    expire_after(call, Unit::Milliseconds, "pexpire")
}

/// EXPIRE or PEXPIRE with NX, XX, GT and LT. A deadline in the past deletes the key.
fn expire_after(call: &mut Call<'_>, unit: Unit, command: &str) -> Answer {
    let target = call.target(&call.arguments[1]);
    let rules = Rules::parse(&call.arguments[3..])?;
    let deadline = deadline(&call.arguments[2], unit, command)?;
    let old = call.state.keys.deadline(target.db, target.key);
    let new = deadline.unwrap_or_else(Instant::now);
    let is_set = old.is_some_and(|old| rules.allow(old, new));
    if is_set && deadline.is_some() {
        call.state.set_deadline(target, deadline);
    } else if is_set {
        call.state.delete(target);
    }
    call.reply.integer(is_set.into());
    Ok(())
}

/// Which deadlines EXPIRE replaces.
#[derive(Default)]
struct Rules {
    /// Whether the key must have a deadline, or must not.
    must_exist: Option<bool>,
    only_later: bool,
    only_earlier: bool,
}

impl Rules {
    fn parse(options: &[Bytes]) -> Result<Self, ErrorReply> {
        let (mut rules, mut nx, mut xx) = (Self::default(), false, false);
        for option in options {
            match option.to_ascii_uppercase().as_slice() {
                b"NX" => nx = true,
                b"XX" => xx = true,
                b"GT" => rules.only_later = true,
                b"LT" => rules.only_earlier = true,
                _ => return Err([b"ERR Unsupported option ", &option[..]].concat().into()),
            }
        }
        if nx && (xx || rules.only_later || rules.only_earlier) {
            return Err(
                "ERR NX and XX, GT or LT options at the same time are not compatible".into(),
            );
        }
        if rules.only_later && rules.only_earlier {
            return Err("ERR GT and LT options at the same time are not compatible".into());
        }
        rules.must_exist = (nx || xx).then_some(xx);
        Ok(rules)
    }

    /// A key without a deadline counts as one that expires after any other.
    fn allow(&self, old: Option<Instant>, new: Instant) -> bool {
        self.must_exist.is_none_or(|must| must == old.is_some())
            && !(self.only_later && old.is_none_or(|old| new <= old))
            && !(self.only_earlier && old.is_some_and(|old| new >= old))
    }
}

fn persist(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let had_deadline = call.state.persist(target);
    call.reply.integer(had_deadline.into());
    Ok(())
}

fn ttl(call: &mut Call<'_>) -> Answer {
    // Rounded to the nearest second, as the server does.
    time_left(call, |left| (left.as_millis() + 500) / 1000)
}

fn pttl(call: &mut Call<'_>) -> Answer {
    time_left(call, |left| left.as_millis())
}

fn time_left(call: &mut Call<'_>, count: fn(Duration) -> u128) -> Answer {
    let target = call.target(&call.arguments[1]);
    let exists = call.state.read_any(target).is_some();
    let deadline = call.state.keys.deadline(target.db, target.key).flatten();
    call.reply.integer(match deadline {
        _ if !exists => -2,
        None => -1,
        Some(deadline) => i64::try_from(count(deadline.saturating_duration_since(Instant::now())))
            .unwrap_or(i64::MAX),
    });
    Ok(())
}
