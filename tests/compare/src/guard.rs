//! A check for CI: W1 has not become slow, and loses nothing. The bounds are far below the figures
//! of an idle machine, and a failing setting is tried again, so that noise does not fail the check.

use crate::Result;
use crate::cell::{Cell, Samples, measure};
use crate::job::{Job, Source, Workload};
use crate::options::Options;
use crate::peers::Peer;
use crate::plan;
use crate::run::Runner;

const TRIES: usize = 3;
const LEAST_ROUNDS: usize = 5;
const TO_FLOOR: f64 = 0.6;
const TO_SEED: f64 = 1.5;

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
    let peers: &[Peer] = match setting.source {
        // The server is the bottleneck there, so only loss is checked.
        Source::Real => &[Peer::RedisPush],
        Source::Canned if setting.handlers < 100 => &[Peer::RedisPush, Peer::Floor],
        Source::Canned => &[Peer::RedisPush, Peer::Floor, Peer::Seed],
    };
    let samples = measure(setting, peers, rounds, runner);
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
    let own = &cells[0];
    if let Some(lost) = own.lost.filter(|lost| *lost > 0) {
        return Err(format!("{lost} of {} messages lost", own.deliveries));
    }
    for (ratio, least, base) in [
        (own.rate_to_floor, TO_FLOOR, Peer::Floor),
        (own.rate_to_seed, TO_SEED, Peer::Seed),
    ] {
        if let Some(ratio) = ratio.filter(|ratio| ratio.median < least) {
            return Err(format!(
                "{:.2} of the rate of {base}, at least {least} is required",
                ratio.median
            ));
        }
    }
    Ok(())
}
