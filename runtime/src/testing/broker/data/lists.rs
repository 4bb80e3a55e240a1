//! Commands on lists.

use bytes::Bytes;

use crate::testing::broker::call::Call;
use crate::testing::broker::command::{Command, When, command};
use crate::testing::broker::error::{Answer, ErrorReply, NOT_AN_INTEGER};
use crate::testing::broker::events::Class;
use crate::testing::broker::request::integer;
use crate::testing::broker::value::{List, owned};

use super::indices::{index, span};
use super::positive;

pub(super) const COMMANDS: &[Command] = &[
    command("lpush", -3, When::Ready, lpush),
    command("rpush", -3, When::Ready, rpush),
    command("lpop", -2, When::Ready, lpop),
    command("rpop", -2, When::Ready, rpop),
    command("lrange", 4, When::Ready, lrange),
    command("ltrim", 4, When::Ready, ltrim),
    command("llen", 2, When::Ready, llen),
    command("lindex", 3, When::Ready, lindex),
    command("lset", 4, When::Ready, lset),
    command("lrem", 4, When::Ready, lrem),
];

fn lpush(call: &mut Call<'_>) -> Answer {
    push(call, List::push_front, "lpush")
}

fn rpush(call: &mut Call<'_>) -> Answer {
    push(call, List::push_back, "rpush")
}

fn push(call: &mut Call<'_>, add: fn(&mut List, Bytes), event: &str) -> Answer {
    let (target, elements) = (call.target(&call.arguments[1]), &call.arguments[2..]);
    let length = call.state.update(target, |list: &mut List| {
        for element in elements {
            add(list, owned(element));
        }
        list.len()
    })?;
    call.state.changed(target, Class::List, event);
    call.reply.count(length);
    Ok(())
}

fn lpop(call: &mut Call<'_>) -> Answer {
    pop(call, List::pop_front, "lpop")
}

fn rpop(call: &mut Call<'_>) -> Answer {
    pop(call, List::pop_back, "rpop")
}

/// Takes one element, or with a count up to so many.
fn pop(call: &mut Call<'_>, take: fn(&mut List) -> Option<Bytes>, command: &str) -> Answer {
    let target = call.target(&call.arguments[1]);
    let count = match &call.arguments[2..] {
        [] => None,
        [count] => Some(positive(count)?),
        _ => return Err(ErrorReply::wrong_number_of_arguments(command)),
    };
    let exists = call.state.stored::<List>(target)?.is_some();
    let taken: Vec<Bytes> = call.state.update(target, |list: &mut List| {
        (0..count.unwrap_or(1)).map_while(|_| take(list)).collect()
    })?;
    if !taken.is_empty() {
        call.state.taken(target, Class::List, command);
    }
    if count.is_none() {
        call.reply.bulk_or_null(taken.first());
    } else if exists {
        call.reply.array(taken.len());
        taken.iter().for_each(|element| call.reply.bulk(element));
    } else {
        call.reply.null_array();
    }
    Ok(())
}

fn lrange(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let start = integer(&call.arguments[2]).ok_or(NOT_AN_INTEGER)?;
    let stop = integer(&call.arguments[3]).ok_or(NOT_AN_INTEGER)?;
    let list = call.state.read::<List>(target)?;
    let span = span(start, stop, list.map_or(0, List::len));
    call.reply.array(span.len());
    for element in list.into_iter().flat_map(|list| list.range(span.clone())) {
        call.reply.bulk(element);
    }
    Ok(())
}

fn ltrim(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let start = integer(&call.arguments[2]).ok_or(NOT_AN_INTEGER)?;
    let stop = integer(&call.arguments[3]).ok_or(NOT_AN_INTEGER)?;
    let Some(length) = call.state.stored::<List>(target)?.map(List::len) else {
        return call.ok();
    };
    let kept = span(start, stop, length);
    if kept.len() == length {
        // As in Valkey this is an event, and yet no change.
        call.state
            .notify(Class::List, "ltrim", target.db, target.key);
        return call.ok();
    }
    call.state.update(target, |list: &mut List| {
        list.truncate(kept.end);
        list.drain(..kept.start);
    })?;
    call.state.taken(target, Class::List, "ltrim");
    call.ok()
}

fn llen(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let list = call.state.read::<List>(target)?;
    call.reply.count(list.map_or(0, List::len));
    Ok(())
}

fn lindex(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let Some(list) = call.state.read::<List>(target)? else {
        call.reply.null();
        return Ok(());
    };
    let place = integer(&call.arguments[2]).ok_or(NOT_AN_INTEGER)?;
    let element = index(place, list.len()).and_then(|index| list.get(index));
    call.reply.bulk_or_null(element);
    Ok(())
}

fn lset(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let list = call.state.stored::<List>(target)?;
    let length = list.ok_or("ERR no such key")?.len();
    let place = integer(&call.arguments[2]).ok_or(NOT_AN_INTEGER)?;
    let index = index(place, length).ok_or("ERR index out of range")?;
    let element = owned(&call.arguments[3]);
    call.state
        .update(target, |list: &mut List| list[index] = element)?;
    call.state.changed(target, Class::List, "lset");
    call.ok()
}

/// Removes elements that equal the given one: a positive count from the first one on, a negative count
/// from the last one on, and with 0 all of them.
fn lrem(call: &mut Call<'_>) -> Answer {
    let (target, element) = (call.target(&call.arguments[1]), &call.arguments[3]);
    let count = integer(&call.arguments[2]).ok_or(NOT_AN_INTEGER)?;
    let most = match usize::try_from(count.unsigned_abs()) {
        Ok(most) if most > 0 => most,
        _ => usize::MAX,
    };
    let removed = call.state.update(target, |list: &mut List| {
        let found = (0..list.len()).filter(|index| list[*index] == *element);
        let mut found: Vec<usize> = if count < 0 {
            found.rev().take(most).collect()
        } else {
            found.take(most).collect()
        };
        // From the last to the first, so that the indices of those still to be removed stay right.
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.iter().filter_map(|index| list.remove(*index)).count()
    })?;
    if removed > 0 {
        call.state.taken(target, Class::List, "lrem");
    }
    call.reply.count(removed);
    Ok(())
}
