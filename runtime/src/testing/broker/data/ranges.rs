//! Commands that select members of a sorted set, by rank or by score.

use std::ops::{Bound, RangeBounds};

use bytes::Bytes;

use crate::testing::broker::call::Call;
use crate::testing::broker::command::{Command, When, command};
use crate::testing::broker::double;
use crate::testing::broker::error::{Answer, ErrorReply, NOT_AN_INTEGER, SYNTAX};
use crate::testing::broker::events::Class;
use crate::testing::broker::request::integer;
use crate::testing::broker::sorted_set::SortedSet;

use super::indices::span;
use super::sorted_sets::with_scores;

pub(super) const COMMANDS: &[Command] = &[
    command("zrange", -4, When::Ready, zrange),
    command("zrevrange", -4, When::Ready, zrevrange),
    command("zrangebyscore", -4, When::Ready, zrangebyscore),
    command("zrevrangebyscore", -4, When::Ready, zrevrangebyscore),
    command("zcount", 4, When::Ready, zcount),
    command("zremrangebyscore", 4, When::Ready, zremrangebyscore),
    command("zremrangebyrank", 4, When::Ready, zremrangebyrank),
];

/// What a range command asks for, besides its two ends.
#[derive(Clone, Copy, Default)]
struct Options {
    /// From the highest score to the lowest; the ends are in this order too.
    is_reversed: bool,
    by_score: bool,
    /// How many of the selected members to skip, and how many to return at most.
    limit: Option<(i64, i64)>,
    with_scores: bool,
}

/// The two ends of a range.
#[derive(Clone, Copy)]
enum Ends {
    Ranks(i64, i64),
    Scores(Bound<f64>, Bound<f64>),
}

/// ZRANGE with BYSCORE, REV, LIMIT and WITHSCORES.
fn zrange(call: &mut Call<'_>) -> Answer {
    let options = Options::default();
    range(call, options.parse(&call.arguments[4..], true)?)
}

fn zrevrange(call: &mut Call<'_>) -> Answer {
    let options = Options {
        is_reversed: true,
        ..Options::default()
    };
    range(call, options.parse(&call.arguments[4..], false)?)
}

fn zrangebyscore(call: &mut Call<'_>) -> Answer {
    let options = Options {
        by_score: true,
        ..Options::default()
    };
    range(call, options.parse(&call.arguments[4..], false)?)
}

fn zrevrangebyscore(call: &mut Call<'_>) -> Answer {
    let options = Options {
        by_score: true,
        is_reversed: true,
        ..Options::default()
    };
    range(call, options.parse(&call.arguments[4..], false)?)
}

impl Options {
    /// Adds the options of a call. Only ZRANGE lets the caller choose order and ends.
    fn parse(mut self, mut words: &[Bytes], is_zrange: bool) -> Result<Self, ErrorReply> {
        while let [option, rest @ ..] = words {
            words = rest;
            match (option.to_ascii_uppercase().as_slice(), rest) {
                (b"WITHSCORES", _) => self.with_scores = true,
                (b"LIMIT", [offset, count, rest @ ..]) => {
                    let offset = integer(offset).ok_or(NOT_AN_INTEGER)?;
                    let count = integer(count).ok_or(NOT_AN_INTEGER)?;
                    self.limit = Some((offset, count));
                    words = rest;
                }
                (b"REV", _) if is_zrange && !self.is_reversed => self.is_reversed = true,
                (b"BYSCORE", _) if is_zrange && !self.by_score => self.by_score = true,
                (b"BYLEX", _) if is_zrange => {
                    return Err("ERR BYLEX is not supported by this broker".into());
                }
                _ => return Err(SYNTAX.into()),
            }
        }
        if self.limit.is_some() && !self.by_score {
            return Err("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX".into());
        }
        Ok(self)
    }
}

impl Ends {
    fn ranks(start: &[u8], stop: &[u8]) -> Result<Self, ErrorReply> {
        let start = integer(start).ok_or(NOT_AN_INTEGER)?;
        Ok(Self::Ranks(start, integer(stop).ok_or(NOT_AN_INTEGER)?))
    }

    fn scores(min: &[u8], max: &[u8]) -> Result<Self, ErrorReply> {
        let bound = |text: &[u8]| {
            let bound = match text.strip_prefix(b"(") {
                Some(text) => double::parse(text).map(Bound::Excluded),
                None => double::parse(text).map(Bound::Included),
            };
            bound.ok_or("ERR min or max is not a float")
        };
        Ok(Self::Scores(bound(min)?, bound(max)?))
    }

    /// Returns the members between the ends, in the order that is asked for.
    fn select(self, set: &SortedSet, is_reversed: bool) -> Vec<(&Bytes, f64)> {
        let mut members: Vec<_> = set.iter().collect();
        if is_reversed {
            members.reverse();
        }
        match self {
            Self::Ranks(start, stop) => members[span(start, stop, members.len())].to_vec(),
            Self::Scores(min, max) => {
                members.retain(|(_, score)| (min, max).contains(score));
                members
            }
        }
    }
}

fn range(call: &mut Call<'_>, options: Options) -> Answer {
    let target = call.target(&call.arguments[1]);
    let (first, last) = (&call.arguments[2], &call.arguments[3]);
    let ends = match (options.by_score, options.is_reversed) {
        (false, _) => Ends::ranks(first, last)?,
        (true, false) => Ends::scores(first, last)?,
        (true, true) => Ends::scores(last, first)?,
    };
    let set = call.state.read::<SortedSet>(target)?;
    let mut members = set.map_or_else(Vec::new, |set| ends.select(set, options.is_reversed));
    if let Some((offset, count)) = options.limit {
        // A negative offset selects nothing, a negative count everything.
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        members.drain(..offset.min(members.len()));
        members.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    }
    if options.with_scores {
        with_scores(&mut call.reply, members.into_iter());
    } else {
        call.reply.array(members.len());
        for (member, _) in members {
            call.reply.bulk(member);
        }
    }
    Ok(())
}

fn zcount(call: &mut Call<'_>) -> Answer {
    let target = call.target(&call.arguments[1]);
    let ends = Ends::scores(&call.arguments[2], &call.arguments[3])?;
    let set = call.state.read::<SortedSet>(target)?;
    call.reply
        .count(set.map_or(0, |set| ends.select(set, false).len()));
    Ok(())
}

fn zremrangebyscore(call: &mut Call<'_>) -> Answer {
    let ends = Ends::scores(&call.arguments[2], &call.arguments[3])?;
    remove(call, ends, "zremrangebyscore")
}

fn zremrangebyrank(call: &mut Call<'_>) -> Answer {
    let ends = Ends::ranks(&call.arguments[2], &call.arguments[3])?;
    remove(call, ends, "zremrangebyrank")
}

fn remove(call: &mut Call<'_>, ends: Ends, event: &str) -> Answer {
    let target = call.target(&call.arguments[1]);
    let removed = call.state.update(target, |set: &mut SortedSet| {
        let selected = ends.select(set, false);
        let selected: Vec<Bytes> = selected
            .iter()
            .map(|(member, _)| (*member).clone())
            .collect();
        selected.iter().filter(|member| set.remove(member)).count()
    })?;
    if removed > 0 {
        call.state.changed(target, Class::SortedSet, event);
    }
    call.reply.count(removed);
    Ok(())
}
