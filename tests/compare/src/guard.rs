//! A check for CI: W1 has not become slow, and loses nothing. The bounds are far below the figures
//! of an idle machine, and a failing setting is tried again, so that noise does not fail the check.

use std::ops::RangeInclusive;

use crate::Result;
use crate::cell::{Cell, Ratio, Samples, measure};
use crate::job::{Job, Source, Workload};
use crate::options::Options;
use crate::peers::Peer;
use crate::plan;
use crate::run::Runner;

const TRIES: usize = 3;
const LEAST_ROUNDS: usize = 5;

/// What is checked, on which peer, at how many handlers: the lowest ratio of its rate to that of another.
struct Bound {
    own: Peer,
    base: Peer,
    handlers: RangeInclusive<usize>,
    least: f64,
    ratio: fn(&Cell) -> Option<Ratio>,
}

const BOUNDS: [Bound; 4] = [
    Bound {
        own: Peer::RedisPush,
        base: Peer::Floor,
        handlers: 1..=100,
        least: 0.6,
        ratio: |cell| cell.rate_to_floor,
    },
    Bound {
        own: Peer::RedisPush,
        base: Peer::Seed,
        // With fewer handlers, the seed pattern is not slow yet.
        handlers: 100..=100,
        least: 1.5,
        ratio: |cell| cell.rate_to_seed,
    },
    Bound {
        own: Peer::RedisPushWire,
        base: Peer::Limit,
        handlers: 1..=100,
        least: 0.5,
        ratio: |cell| cell.rate_to_limit,
    },
    Bound {
        own: Peer::RedisPushWire,
        base: Peer::Rustis,
        handlers: 1..=100,
        least: 1.2,
        ratio: |cell| cell.rate_to_rustis,
    },
];

pub(crate) fn check(options: &Options, runner: &Runner) -> Result<()> {
    let mut failures = Vec::new();
    for setting in plan::settings(Workload::W1, options) {
        if setting.handlers > 100 {
            continue;
        }
        let mut verdict = Ok(());
        for _ in 0..TRIES {
            verdict = hold(
                &setting,
                options.rounds(Workload::W1).max(LEAST_ROUNDS),
                runner,
            );
            match &verdict {
                Ok(()) => break,
                Err(reason) => eprintln!("{}: {reason}", setting.label()),
            }
        }
        match verdict {
            Ok(()) => println!("{}: holds", setting.label()),
            Err(reason) => failures.push(format!("{}: {reason}", setting.label())),
        }
    }
    if failures.is_empty() {
        Ok(())
    } else {
        Err(failures.join("\n").into())
    }
}

fn hold(setting: &Job, rounds: usize, runner: &Runner) -> Result<(), String> {
    // The server is the bottleneck of the real source, so only loss is checked there.
    let is_canned = setting.source == Source::Canned;
    let bounds = BOUNDS
        .iter()
        .filter(|bound| is_canned && bound.handlers.contains(&setting.handlers));
    let mut peers = vec![Peer::RedisPush, Peer::RedisPushWire];
    for base in bounds.clone().map(|bound| bound.base) {
        if !peers.contains(&base) {
            peers.push(base);
        }
    }
    let samples = measure(setting, &peers, rounds, runner);
    let failed = |samples: &Samples| {
        samples
            .not_run
            .as_ref()
            .map(|reason| format!("{} did not run: {reason}", samples.peer))
    };
    if let Some(reason) = samples.iter().find_map(failed) {
        return Err(reason);
    }
    let cells = Cell::all(setting, &samples);
    for own in &cells[..2] {
        if let Some(lost) = own.lost.filter(|lost| *lost > 0) {
            return Err(format!(
                "{}: {lost} of {} messages lost",
                own.peer, own.deliveries
            ));
        }
    }
    for bound in bounds {
        let own = cells.iter().find(|cell| cell.peer == bound.own);
        let ratio = own.and_then(bound.ratio);
        let Some(ratio) = ratio else {
            return Err(format!(
                "{} was not compared with {}",
                bound.own, bound.base
            ));
        };
        if ratio.median < bound.least {
            return Err(format!(
                "{}: {:.2} of the rate of {}, at least {} is required",
                bound.own, ratio.median, bound.base, bound.least
            ));
        }
    }
    Ok(())
}
