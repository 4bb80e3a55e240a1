//! Commands on sets.

use crate::testing::broker::call::Call;
use crate::testing::broker::command::{Command, When, command};
use crate::testing::broker::error::Answer;
use crate::testing::broker::events::Class;
use crate::testing::broker::value::{Set, owned};

pub(super) const COMMANDS: &[Command] = &[
    command("sadd", -3, When::Ready, sadd),
    command("srem", -3, When::Ready, srem),
    command("smembers", 2, When::Ready, smembers),
    command("sismember", 3, When::Ready, sismember),
    command("smismember", -3, When::Ready, smismember),
    command("scard", 2, When::Ready, scard),
];

fn sadd(call: &mut Call<'_>) -> Answer {
    let (target, members) = (call.target(&call.arguments[1]), &call.arguments[2..]);
    let added = call.state.update(target, |set: &mut Set| {
        let members = members.iter();
        members.filter(|member| set.insert(owned(member))).count()
    })?;
    if added > 0 {
        call.state.changed(target, Class::Set, "sadd");
    }
    call.reply.count(added);
    Ok(())
}

fn srem(call: &mut Call<'_>) -> Answer {
    let (target, members) = (call.target(&call.arguments[1]), &call.arguments[2..]);
    let removed = call.state.update(target, |set: &mut Set| {
        members.iter().filter(|member| set.remove(*member)).count()
    })?;
    if removed > 0 {
        call.state.changed(target, Class::Set, "srem");
    }
    call.reply.count(removed);
    Ok(())
}

fn smembers(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let set = call.state.read::<Set>(target)?;
    call.reply.set(set.map_or(0, Set::len));
    for member in set.into_iter().flatten() {
        call.reply.bulk(member);
    }
    Ok(())
}

fn sismember(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let set = call.state.read::<Set>(target)?;
    let is_member = set.is_some_and(|set| set.contains(&call.arguments[2]));
    call.reply.integer(is_member.into());
    Ok(())
}

fn smismember(call: &mut Call<'_>) -> Answer {
    let (target, members) = (call.target(&call.arguments[1]), &call.arguments[2..]);
    let set = call.state.read::<Set>(target)?;
    call.reply.array(members.len());
    for member in members {
        let is_member = set.is_some_and(|set| set.contains(member));
        call.reply.integer(is_member.into());
    }
    Ok(())
}

fn scard(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let set = call.state.read::<Set>(target)?;
    call.reply.count(set.map_or(0, Set::len));
    Ok(())
}
