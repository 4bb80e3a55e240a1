//! Commands on hashes.

use bytes::Bytes;

use crate::testing::broker::call::Call;
use crate::testing::broker::command::{Command, When, command};
use crate::testing::broker::error::{Answer, ErrorReply, NOT_AN_INTEGER, OVERFLOW};
use crate::testing::broker::events::Class;
use crate::testing::broker::request::integer;
use crate::testing::broker::value::{Hash, owned};

pub(super) const COMMANDS: &[Command] = &[
    command("hset", -4, When::Ready, hset),
    command("hmset", -4, When::Ready, hmset),
    command("hsetnx", 4, When::Ready, hsetnx),
    command("hget", 3, When::Ready, hget),
    command("hmget", -3, When::Ready, hmget),
    command("hgetall", 2, When::Ready, hgetall),
    command("hkeys", 2, When::Ready, hkeys),
    command("hvals", 2, When::Ready, hvals),
    command("hlen", 2, When::Ready, hlen),
    command("hexists", 3, When::Ready, hexists),
    command("hdel", -3, When::Ready, hdel),
    command("hincrby", 4, When::Ready, hincrby),
];

fn hset(call: &mut Call<'_>) -> Answer {
    let added = store(call, "hset")?;
    call.reply.count(added);
    Ok(())
}

fn hmset(call: &mut Call<'_>) -> Answer {
    store(call, "hmset")?;
    call.ok()
}

/// Sets fields, and returns how many of them are new.
fn store(call: &mut Call<'_>, command: &str) -> Result<usize, ErrorReply> {
    let (target, pairs) = (call.target(&call.arguments[1]), &call.arguments[2..]);
    if !pairs.len().is_multiple_of(2) {
        return Err(ErrorReply::wrong_number_of_arguments(command));
    }
    let added = call.state.update(target, |hash: &mut Hash| {
        let pairs = pairs.chunks(2);
        pairs
            .filter(|pair| hash.insert(owned(&pair[0]), owned(&pair[1])).is_none())
            .count()
    })?;
    call.state.changed(target, Class::Hash, "hset");
    Ok(added)
}

fn hsetnx(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let (field, value) = (&call.arguments[2], &call.arguments[3]);
    let is_new = call.state.update(target, |hash: &mut Hash| {
        let is_new = !hash.contains_key(field);
        if is_new {
            hash.insert(owned(field), owned(value));
        }
        is_new
    })?;
    if is_new {
        call.state.changed(target, Class::Hash, "hset");
    }
    call.reply.integer(is_new.into());
    Ok(())
}

fn hget(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let hash = call.state.read::<Hash>(target)?;
    let value = hash.and_then(|hash| hash.get(&call.arguments[2]));
    call.reply.bulk_or_null(value);
    Ok(())
}

fn hmget(call: &mut Call<'_>) -> Answer {
    let (target, fields) = (call.target(&call.arguments[1]), &call.arguments[2..]);
    let hash = call.state.read::<Hash>(target)?;
    call.reply.array(fields.len());
    for field in fields {
        let value = hash.and_then(|hash| hash.get(field));
        call.reply.bulk_or_null(value);
    }
    Ok(())
}

fn hgetall(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let hash = call.state.read::<Hash>(target)?;
    call.reply.map(hash.map_or(0, Hash::len));
    for (field, value) in hash.into_iter().flatten() {
        call.reply.bulk(field);
        call.reply.bulk(value);
    }
    Ok(())
}

fn hkeys(call: &mut Call<'_>) -> Answer {
    list(call, |(field, _)| field)
}

fn hvals(call: &mut Call<'_>) -> Answer {
    list(call, |(_, value)| value)
}

fn list(call: &mut Call<'_>, half: for<'a> fn((&'a Bytes, &'a Bytes)) -> &'a Bytes) -> Answer {
    let target = call.target(&call.arguments[1]);
    let hash = call.state.read::<Hash>(target)?;
    call.reply.array(hash.map_or(0, Hash::len));
    for pair in hash.into_iter().flatten() {
        call.reply.bulk(half(pair));
    }
    Ok(())
}

fn hlen(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let hash = call.state.read::<Hash>(target)?;
    call.reply.count(hash.map_or(0, Hash::len));
    Ok(())
}

fn hexists(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let hash = call.state.read::<Hash>(target)?;
    let exists = hash.is_some_and(|hash| hash.contains_key(&call.arguments[2]));
    call.reply.integer(exists.into());
    Ok(())
}

fn hdel(call: &mut Call<'_>) -> Answer {
    let (target, fields) = (call.target(&call.arguments[1]), &call.arguments[2..]);
    let removed = call.state.update(target, |hash: &mut Hash| {
        let fields = fields.iter();
        fields.filter(|field| hash.remove(*field).is_some()).count()
    })?;
    if removed > 0 {
        call.state.changed(target, Class::Hash, "hdel");
    }
    call.reply.count(removed);
    Ok(())
}

fn hincrby(call: &mut Call<'_>) -> Answer {
    let (target, field) = (call.target(&call.arguments[1]), &call.arguments[2]);
    let number = integer(&call.arguments[3]).ok_or(NOT_AN_INTEGER)?;
    let sum = call.state.update(target, |hash: &mut Hash| {
        let old = match hash.get(field) {
            Some(text) => integer(text).ok_or("ERR hash value is not an integer")?,
            None => 0,
        };
        let sum = old.checked_add(number).ok_or(OVERFLOW)?;
        hash.insert(owned(field), sum.to_string().into());
        Ok::<_, ErrorReply>(sum)
    })??;
    call.state.changed(target, Class::Hash, "hincrby");
    call.reply.integer(sum);
    Ok(())
}
