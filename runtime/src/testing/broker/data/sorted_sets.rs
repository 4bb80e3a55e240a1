//! Commands on sorted sets. Those that set scores are in `scores`, those that select members by rank or by
//! score in `ranges`.

use bytes::Bytes;

use crate::testing::broker::call::Call;
use crate::testing::broker::command::{Command, When, command};
use crate::testing::broker::error::{Answer, SYNTAX};
use crate::testing::broker::events::Class;
use crate::testing::broker::reply::{Frames, Protocol};
use crate::testing::broker::sorted_set::SortedSet;

use super::positive;

pub(super) const COMMANDS: &[Command] = &[
    command("zrem", -3, When::Ready, zrem),
    command("zscore", 3, When::Ready, zscore),
    command("zmscore", -3, When::Ready, zmscore),
    command("zcard", 2, When::Ready, zcard),
    command("zrank", 3, When::Ready, zrank),
    command("zrevrank", 3, When::Ready, zrevrank),
    command("zpopmin", -2, When::Ready, zpopmin),
    command("zpopmax", -2, When::Ready, zpopmax),
];

fn zrem(call: &mut Call<'_>) -> Answer {
    let (target, members) = (call.target(&call.arguments[1]), &call.arguments[2..]);
    let removed = call.state.update(target, |set: &mut SortedSet| {
        members.iter().filter(|member| set.remove(member)).count()
    })?;
    if removed > 0 {
        call.state.taken(target, Class::SortedSet, "zrem");
    }
    call.reply.count(removed);
    Ok(())
}

fn zscore(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let set = call.state.read::<SortedSet>(target)?;
    let score = set.and_then(|set| set.score(&call.arguments[2]));
    score_or_null(&mut call.reply, score);
    Ok(())
}

fn zmscore(call: &mut Call<'_>) -> Answer {
    let (target, members) = (call.target(&call.arguments[1]), &call.arguments[2..]);
    let set = call.state.read::<SortedSet>(target)?;
    call.reply.array(members.len());
    for member in members {
        let score = set.and_then(|set| set.score(member));
        score_or_null(&mut call.reply, score);
    }
    Ok(())
}

pub(super) fn score_or_null(reply: &mut Frames, score: Option<f64>) {
    match score {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
}

fn zcard(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let set = call.state.read::<SortedSet>(target)?;
    call.reply.count(set.map_or(0, SortedSet::len));
    Ok(())
}

fn zrank(call: &mut Call<'_>) -> Answer {
    rank(call, |set, member| {
        set.iter().position(|(other, _)| other == member)
    })
}

fn zrevrank(call: &mut Call<'_>) -> Answer {
    rank(call, |set, member| {
        set.iter().rev().position(|(other, _)| other == member)
    })
}

fn rank(call: &mut Call<'_>, find: fn(&SortedSet, &Bytes) -> Option<usize>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let set = call.state.read::<SortedSet>(target)?;
    match set.and_then(|set| find(set, &call.arguments[2])) {
        Some(rank) => call.reply.count(rank),
        None => call.reply.null(),
    }
    Ok(())
}

fn zpopmin(call: &mut Call<'_>) -> Answer {
    pop(call, "zpopmin", |set| set.iter().next().map(copied))
}

fn zpopmax(call: &mut Call<'_>) -> Answer {
    pop(call, "zpopmax", |set| set.iter().next_back().map(copied))
}

fn copied((member, score): (&Bytes, f64)) -> (Bytes, f64) {
    (member.clone(), score)
}

/// Takes the first member, or with a count up to so many.
fn pop(
    call: &mut Call<'_>,
    command: &str,
    first: fn(&SortedSet) -> Option<(Bytes, f64)>,
) -> Answer {
    let target = call.target(&call.arguments[1]);
    let count = match &call.arguments[2..] {
        [] => None,
        [count] => Some(positive(count)?),
        _ => return Err(SYNTAX.into()),
    };
    let taken: Vec<(Bytes, f64)> = call.state.update(target, |set: &mut SortedSet| {
        let take = |_| {
            let (member, score) = first(set)?;
            set.remove(&member);
            Some((member, score))
        };
        (0..count.unwrap_or(1)).map_while(take).collect()
    })?;
    if !taken.is_empty() {
        call.state.taken(target, Class::SortedSet, command);
    }
    match (count, taken.first()) {
        (None, Some((member, score))) => {
            call.reply.array(2);
            call.reply.bulk(member);
            call.reply.double(*score);
        }
        _ => with_scores(
            &mut call.reply,
            taken.iter().map(|(member, score)| (member, *score)),
        ),
    }
    Ok(())
}

/// Writes members with their scores: pairs in RESP3, a flat array in RESP2.
pub(super) fn with_scores<'a>(
    reply: &mut Frames,
    members: impl ExactSizeIterator<Item = (&'a Bytes, f64)>,
) {
    let has_pairs = reply.protocol == Protocol::Resp3;
    reply.array(members.len() * if has_pairs { 1 } else { 2 });
    for (member, score) in members {
        if has_pairs {
            reply.array(2);
        }
        reply.bulk(member);
        reply.double(score);
    }
}
