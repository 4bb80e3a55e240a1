//! Commands on the deadlines of keys.

use std::time::Duration;

use tokio::time::Instant;

use crate::testing::broker::call::Call;
use crate::testing::broker::command::{Command, When, command};
use crate::testing::broker::error::{Answer, ErrorReply, NOT_AN_INTEGER};
use crate::testing::broker::request::integer;

pub(super) const COMMANDS: &[Command] = &[
    command("expire", 3, When::Ready, expire),
    command("pexpire", 3, When::Ready, pexpire),
    command("persist", 2, When::Ready, persist),
    command("ttl", 2, When::Ready, ttl),
    command("pttl", 2, When::Ready, pttl),
];

/// The most distant deadline, in milliseconds. Deadlines beyond it are refused: a clock may not be able
/// to represent them.
const FAR: u64 = 1000 * 60 * 60 * 24 * 365 * 100;

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

/// Parses a time from now, which may be in the past. The error names the command.
fn deadline(text: &[u8], unit: Unit, command: &str) -> Result<Instant, ErrorReply> {
    let time = integer(text).ok_or(NOT_AN_INTEGER)?;
    let Ok(time) = u64::try_from(time) else {
        return Ok(Instant::now());
    };
    let milliseconds = match unit {
        Unit::Seconds => time.checked_mul(1000),
        Unit::Milliseconds => Some(time),
    };
    milliseconds
        .filter(|time| *time <= FAR)
        .and_then(|time| Instant::now().checked_add(Duration::from_millis(time)))
        .ok_or_else(|| invalid(command))
}

/// Parses a time from now, which must be in the future. The error names the command.
pub(super) fn future_deadline(
    text: &[u8],
    unit: Unit,
    command: &str,
) -> Result<Instant, ErrorReply> {
    let deadline = deadline(text, unit, command)?;
    if integer(text).is_some_and(|time| time <= 0) {
        return Err(invalid(command));
    }
    Ok(deadline)
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

fn expire_after(call: &mut Call<'_>, unit: Unit, command: &str) -> Answer {
    let deadline = deadline(&call.arguments[2], unit, command)?;
    let target = call.target(&call.arguments[1]);
    let exists = call.state.set_deadline(target, Some(deadline));
    call.reply.integer(exists.into());
    Ok(())
}

fn persist(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let had_deadline = call.state.keys.deadline(target.db, target.key).flatten();
    if had_deadline.is_some() {
        call.state.set_deadline(target, None);
    }
    call.reply.integer(had_deadline.is_some().into());
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
