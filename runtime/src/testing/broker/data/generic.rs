//! Commands on keys of any type.

use crate::testing::broker::call::Call;
use crate::testing::broker::command::{Command, When, command};
use crate::testing::broker::error::{Answer, SYNTAX};

pub(super) const COMMANDS: &[Command] = &[
    command("del", -2, When::Ready, del),
    command("exists", -2, When::Ready, exists),
    command("flushall", -1, When::Ready, flush_all),
    command("flushdb", -1, When::Ready, flush_db),
];

fn del(call: &mut Call<'_>) -> Answer {
    let deleted = call.arguments[1..]
        .iter()
        .filter(|key| call.state.delete(call.target(key)))
        .count();
    call.reply.count(deleted);
    Ok(())
}

fn exists(call: &mut Call<'_>) -> Answer {
    let existing = call.arguments[1..]
        .iter()
        .filter(|key| call.state.read_any(call.target(key)).is_some())
        .count();
    call.reply.count(existing);
    Ok(())
}

fn flush_all(call: &mut Call<'_>) -> Answer {
    flush(call, None)
}

fn flush_db(call: &mut Call<'_>) -> Answer {
    flush(call, Some(call.db))
}

fn flush(call: &mut Call<'_>, db: Option<usize>) -> Answer {
    match &call.arguments[1..] {
        [] => {}
        [how] if how.eq_ignore_ascii_case(b"ASYNC") || how.eq_ignore_ascii_case(b"SYNC") => {}
        _ => return Err(SYNTAX.into()),
    }
    call.state.flush(call.id, db);
    call.ok()
}
