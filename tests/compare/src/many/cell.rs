//! The results of W9 with one peer: medians over the rounds.

use serde::Serialize;

use super::client::Trial;
use super::search::{Highest, Search};
use crate::Result;
use crate::cell::{Ratio, Samples, median, rounds};
use crate::job::{Job, Workload};
use crate::options::Options;
use crate::peers::Peer;
use crate::plan;
use crate::run::{Crowd, Runner};

/// A rate holds only if the last message has reached the last reader within this time: readers that
/// need longer have begun to fall behind.
const LATE_MS: f64 = 100.0;
/// A rate that does not hold is tried once more, so that noise does not end the search.
const TRIES: usize = 2;
/// The least part of its rate that the source must reach for a trial to count.
const KEPT: f64 = 0.95;

/// The results of one run: the trial at the setting's rate, and the search.
struct Outcome {
    steady: Trial,
    highest: Highest,
}

/// A line of `results.jsonl`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cell {
    workload: Workload,
    pub(crate) peer: Peer,
    pub(crate) rounds: usize,
    pub(crate) readers: usize,
    /// Whether the readers share what is decoded: by the peer's own means or, if it has none, by a
    /// task that decodes for all of them.
    pub(crate) shared: bool,
    /// The rate of the following fields, in messages a second.
    pub(crate) rate: u64,
    pub(crate) cpu_us_per_delivery: Option<f64>,
    pub(crate) cpu_to_seed: Option<Ratio>,
    /// How long the last message was on the way to the last of the readers.
    pub(crate) last_took_ms: Option<f64>,
    /// Deliveries that did not arrive, in the worst round.
    pub(crate) lost: Option<u64>,
    pub(crate) reported_lost: Option<u64>,
    /// The highest rate at which nobody lags, in each round. 0 if the least did not hold.
    pub(crate) highest: Vec<u64>,
    pub(crate) highest_median: Option<f64>,
    /// The lowest rate above it that did not hold, in each round. `None` if the search ended at its
    /// bound.
    fails: Vec<Option<u64>>,
    pub(crate) highest_to_seed: Option<Ratio>,
    pub(crate) peak_mib: Option<f64>,
    /// Why there are fewer rounds than requested.
    pub(crate) not_run: Option<String>,
}

pub(crate) fn measure(options: &Options, runner: &Runner) -> Vec<Cell> {
    let mut cells = Vec::new();
    for setting in plan::settings(Workload::W9, options) {
        let count = options.rounds(Workload::W9);
        let steps = if options.quick { 1 } else { 2 };
        let run = |job: &Job| outcome(job, steps, runner);
        let samples = rounds(&setting, &options.peers(), count, run);
        let cell = |own| Cell::new(&setting, own, &samples);
        cells.extend(samples.iter().map(cell));
    }
    cells
}

fn outcome(job: &Job, steps: u32, runner: &Runner) -> Result<Outcome> {
    let rate = job.rate.ok_or("many readers need a rate")?;
    let mut crowd = runner.crowd(job)?;
    let steady = crowd.trial(job)?;
    let search = Search {
        start: rate,
        least: rate / 16,
        most: rate * 1_024,
        steps,
    };
    let highest = search.run(|rate| holds(job, rate, &mut crowd))?;
    Ok(Outcome { steady, highest })
}

/// Whether nobody lags at this rate, for a second.
fn holds(job: &Job, rate: u64, crowd: &mut Crowd<'_>) -> Result<bool> {
    let job = Job {
        rate: Some(rate),
        messages: rate.max(2),
        ..job.clone()
    };
    for _ in 0..TRIES {
        let trial = crowd.trial(&job)?;
        let complete = trial.handled == trial.expected && trial.lost == 0;
        let sent = (job.messages - 1) as f64 / trial.sent_seconds;
        if complete && trial.last_took_ms <= LATE_MS && sent >= KEPT * rate as f64 {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Cell {
    fn new(setting: &Job, own: &Samples<Outcome>, all: &[Samples<Outcome>]) -> Self {
        let outcomes = &own.outcomes;
        let of = |value: fn(&Outcome) -> Option<f64>| {
            median(outcomes.iter().filter_map(value).collect())
        };
        let worst = |value: fn(&Trial) -> u64| outcomes.iter().map(|run| value(&run.steady)).max();
        let to_seed = |value| Ratio::to(Peer::Seed, own, all, value);
        let highest = outcomes.iter().map(|run| run.highest.holds.unwrap_or(0));
        Self {
            workload: Workload::W9,
            peer: own.peer,
            rounds: outcomes.len(),
            readers: setting.handlers,
            shared: setting.shared,
            rate: setting.rate.unwrap_or(0),
            cpu_us_per_delivery: of(cpu_us),
            cpu_to_seed: to_seed(cpu_us),
            last_took_ms: of(|run| Some(run.steady.last_took_ms)),
            lost: worst(|trial| trial.expected.saturating_sub(trial.handled)),
            reported_lost: worst(|trial| trial.lost),
            highest: highest.collect(),
            highest_median: of(highest_rate),
            fails: outcomes.iter().map(|run| run.highest.fails).collect(),
            highest_to_seed: to_seed(highest_rate),
            peak_mib: worst(|trial| trial.peak_kib).map(|kib| kib as f64 / 1024.0),
            not_run: own.not_run.clone(),
        }
    }
}

fn cpu_us(run: &Outcome) -> Option<f64> {
    let Trial {
        handled,
        cpu_seconds,
        ..
    } = run.steady;
    (handled > 0).then(|| cpu_seconds * 1e6 / handled as f64)
}

fn highest_rate(run: &Outcome) -> Option<f64> {
    Some(run.highest.holds.unwrap_or(0) as f64)
}
