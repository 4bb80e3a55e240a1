//! Commands on keys of any type.

use bytes::Bytes;

use crate::testing::broker::call::Call;
use crate::testing::broker::command::{Command, When, command};
use crate::testing::broker::error::{Answer, NOT_AN_INTEGER, SYNTAX};
use crate::testing::broker::glob;
use crate::testing::broker::request::integer;
use crate::testing::broker::value::Value;

pub(super) const COMMANDS: &[Command] = &[
    command("del", -2, When::Ready, del),
    // Without threads that free memory later it is the same.
    command("unlink", -2, When::Ready, del),
    command("exists", -2, When::Ready, exists),
    command("type", 2, When::Ready, type_of),
    command("keys", 2, When::Ready, keys),
    command("scan", -2, When::Ready, scan),
    command("dbsize", 1, When::Ready, dbsize),
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

fn type_of(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let value = call.state.read_any(target);
    call.reply.simple(value.map_or("none", Value::type_name));
    Ok(())
}

fn keys(call: &mut Call<'_>) -> Answer {
    let pattern = &call.arguments[1];
    list(call, |key, _| glob::matches(pattern, key));
    Ok(())
}

/// The names of types that SCAN accepts.
const TYPES: [&[u8]; 6] = [b"string", b"list", b"set", b"zset", b"hash", b"stream"];

/// SCAN with MATCH, COUNT and TYPE. One call returns everything, so the cursor is always 0 afterwards.
fn scan(call: &mut Call<'_>) -> Answer {
    let cursor = str::from_utf8(&call.arguments[1]).ok();
    let cursor: Option<u64> = cursor.and_then(|cursor| cursor.parse().ok());
    let cursor = cursor.ok_or("ERR invalid cursor")?;
    let (mut pattern, mut type_name) = (None, None);
    for option in call.arguments[2..].chunks(2) {
        let [name, argument] = option else {
            return Err(SYNTAX.into());
        };
        match name.to_ascii_uppercase().as_slice() {
            b"MATCH" => pattern = Some(argument),
            b"COUNT" if integer(argument).ok_or(NOT_AN_INTEGER)? > 0 => {}
            b"TYPE" => {
                let lower = argument.to_ascii_lowercase();
                if !TYPES.contains(&lower.as_slice()) {
                    return Err([b"ERR unknown type name '", &argument[..], b"'"]
                        .concat()
                        .into());
                }
                type_name = Some(lower);
            }
            _ => return Err(SYNTAX.into()),
        }
    }
    call.reply.array(2);
    call.reply.bulk("0");
    list(call, |key, value| {
        cursor == 0
            && pattern.is_none_or(|pattern| glob::matches(pattern, key))
            && type_name
                .as_ref()
                .is_none_or(|name| name == value.type_name().as_bytes())
    });
    Ok(())
}

/// Writes the keys of the client's database that are selected, in the order of their bytes.
fn list(call: &mut Call<'_>, is_selected: impl Fn(&[u8], &Value) -> bool) {
    let entries = call.state.keys.databases[call.db].iter();
    let selected: Vec<&Bytes> = entries
        .filter(|(key, entry)| is_selected(key, &entry.value))
        .map(|(key, _)| key)
        .collect();
    call.reply.array(selected.len());
    selected.iter().for_each(|key| call.reply.bulk(key));
}

fn dbsize(call: &mut Call<'_>) -> Answer {
    call.reply.count(call.state.keys.databases[call.db].len());
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
