//! What the broker knows about a command. The tables of commands stand next to the code of the
//! commands.

use super::call::Call;
use super::error::{Answer, ErrorReply};

/// A command, or a subcommand with its full name.
pub(super) struct Command {
    pub(super) name: &'static str,
    /// The number of words, including the name. A negative number is a minimum.
    pub(super) arity: i64,
    pub(super) when: When,
    pub(super) run: Run,
}

impl Command {
    /// Runs the command, without any check.
    pub(super) fn call(&self, call: &mut Call<'_>) -> Answer {
        match self.run {
            Run::Call(run) => run(call),
            // Only a container without a further word is called itself.
            Run::Subcommands(_) => Err(ErrorReply::wrong_number_of_arguments(self.name)),
        }
    }
}

pub(super) enum Run {
    Call(fn(&mut Call<'_>) -> Answer),
    /// The next word names a subcommand.
    Subcommands(&'static [Command]),
}

/// The states of a connection or of the broker in which a command may run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// In every state: before authentication, with subscriptions in RESP2, and while loading.
    Always,
    /// Before authentication and while loading, but not with subscriptions in RESP2.
    Handshake,
    /// With subscriptions in RESP2, and while loading.
    Subscribed,
    /// While loading.
    Loading,
    /// In none of these states.
    Ready,
}

pub(super) const fn command(
    name: &'static str,
    arity: i64,
    when: When,
    run: fn(&mut Call<'_>) -> Answer,
) -> Command {
    Command {
        name,
        arity,
        when,
        run: Run::Call(run),
    }
}

pub(super) const fn container(name: &'static str, subcommands: &'static [Command]) -> Command {
    Command {
        name,
        arity: -2,
        when: When::Loading,
        run: Run::Subcommands(subcommands),
    }
}
