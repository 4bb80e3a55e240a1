//! Commands that set the scores of members in a sorted set: ZADD and ZINCRBY.

use bytes::Bytes;

use crate::testing::broker::call::Call;
use crate::testing::broker::command::{Command, When, command};
use crate::testing::broker::double;
use crate::testing::broker::error::{Answer, ErrorReply, SYNTAX};
use crate::testing::broker::events::Class;
use crate::testing::broker::sorted_set::SortedSet;

use super::sorted_sets::score_or_null;

pub(super) const COMMANDS: &[Command] = &[
    command("zadd", -4, When::Ready, zadd),
    command("zincrby", 4, When::Ready, zincrby),
];

/// Which scores ZADD sets.
#[derive(Default)]
struct Rules {
    must_exist: Option<bool>,
    only_greater: bool,
    only_less: bool,
    /// Whether scores are increments.
    adds: bool,
    /// Whether the reply counts changed members, and not only new ones.
    counts_changes: bool,
}

/// The members that ZADD has added and changed, and the last score that it has set.
#[derive(Default)]
struct Outcome {
    added: usize,
    changed: usize,
    score: Option<f64>,
}

impl Rules {
    /// Parses the options, and returns them with the words that follow.
    fn parse(mut words: &[Bytes]) -> Result<(Self, &[Bytes]), ErrorReply> {
        let (mut rules, mut nx, mut xx) = (Self::default(), false, false);
        while let [option, rest @ ..] = words {
            match option.to_ascii_uppercase().as_slice() {
                b"NX" => nx = true,
                b"XX" => xx = true,
                b"GT" => rules.only_greater = true,
                b"LT" => rules.only_less = true,
                b"INCR" => rules.adds = true,
                b"CH" => rules.counts_changes = true,
                _ => break,
            }
            words = rest;
        }
        if words.is_empty() || !words.len().is_multiple_of(2) {
            return Err(SYNTAX.into());
        }
        if nx && xx {
            return Err("ERR XX and NX options at the same time are not compatible".into());
        }
        let exclusive = [nx, rules.only_greater, rules.only_less];
        if exclusive.into_iter().filter(|given| *given).count() > 1 {
            return Err("ERR GT, LT, and/or NX options at the same time are not compatible".into());
        }
        if rules.adds && words.len() > 2 {
            return Err("ERR INCR option supports a single increment-element pair".into());
        }
        rules.must_exist = (nx || xx).then_some(xx);
        Ok((rules, words))
    }

    /// Sets the score of one member, unless a rule forbids it.
    fn apply(
        &self,
        set: &mut SortedSet,
        member: &[u8],
        given: f64,
        outcome: &mut Outcome,
    ) -> Result<(), ErrorReply> {
        let old = set.score(member);
        if self.must_exist.is_some_and(|must| must != old.is_some()) {
            return Ok(());
        }
        let score = match old {
            Some(old) if self.adds => old + given,
            _ => given,
        };
        if score.is_nan() {
            return Err("ERR resulting score is not a number (NaN)".into());
        }
        if let Some(old) = old
            && (self.only_greater && score <= old || self.only_less && score >= old)
        {
            return Ok(());
        }
        outcome.score = Some(score);
        match old {
            None => outcome.added += 1,
            Some(old) if old != score => outcome.changed += 1,
            Some(_) => return Ok(()),
        }
        set.insert(member, score);
        Ok(())
    }
}

fn zadd(call: &mut Call<'_>) -> Answer {
    let (rules, pairs) = Rules::parse(&call.arguments[2..])?;
    let outcome = set_scores(call, &rules, pairs)?;
    if rules.adds {
        score_or_null(&mut call.reply, outcome.score);
    } else if rules.counts_changes {
        call.reply.count(outcome.added + outcome.changed);
    } else {
        call.reply.count(outcome.added);
    }
    Ok(())
}

fn zincrby(call: &mut Call<'_>) -> Answer {
    let rules = Rules {
        adds: true,
        ..Rules::default()
    };
    let outcome = set_scores(call, &rules, &call.arguments[2..])?;
    score_or_null(&mut call.reply, outcome.score);
    Ok(())
}

/// Sets the scores of pairs of score and member: all of them, or none if one is not a number.
fn set_scores(call: &mut Call<'_>, rules: &Rules, pairs: &[Bytes]) -> Result<Outcome, ErrorReply> {
    let target = call.target(&call.arguments[1]);
    let scores: Option<Vec<f64>> = pairs
        .iter()
        .step_by(2)
        .map(|text| double::parse(text))
        .collect();
    let scores = scores.ok_or("ERR value is not a valid float")?;
    let members = pairs.iter().skip(1).step_by(2);
    let mut outcome = Outcome::default();
    call.state.update(target, |set: &mut SortedSet| {
        let mut pairs = members.zip(scores);
        pairs.try_for_each(|(member, score)| rules.apply(set, member, score, &mut outcome))
    })??;
    if outcome.added + outcome.changed > 0 {
        let event = if rules.adds { "zincr" } else { "zadd" };
        call.state.changed(target, Class::SortedSet, event);
    }
    Ok(outcome)
}
