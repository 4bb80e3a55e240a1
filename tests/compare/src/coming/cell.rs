//! The results of W8 with one peer: medians over the rounds.

use serde::Serialize;

use super::client::Outcome;
use super::second::Second;
use crate::cell::{Ratio, Samples, median, rounds};
use crate::job::{Job, Workload};
use crate::options::Options;
use crate::peers::Peer;
use crate::plan;
use crate::run::Runner;

/// A line of `results.jsonl`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cell {
    workload: Workload,
    pub(crate) peer: Peer,
    pub(crate) rounds: usize,
    /// Names that are live all the time, each with a reader.
    live: usize,
    /// Readers that come and go in a round.
    pub(crate) readers: Option<u64>,
    pub(crate) subscribed_p50_us: Option<f64>,
    subscribed_p99_us: Option<f64>,
    pub(crate) first_p50_us: Option<f64>,
    pub(crate) first_p99_us: Option<f64>,
    first_max_us: Option<f64>,
    pub(crate) cpu_us: Option<f64>,
    pub(crate) first_to_seed: Option<Ratio>,
    pub(crate) cpu_to_seed: Option<Ratio>,
    /// In the worst round, like the following fields.
    pub(crate) missed: Option<u64>,
    pub(crate) left: Option<usize>,
    pub(crate) second: Option<Second>,
    pub(crate) peak_mib: Option<f64>,
    /// Why there are fewer rounds than requested.
    pub(crate) not_run: Option<String>,
}

pub(crate) fn measure(options: &Options, runner: &Runner) -> Vec<Cell> {
    let mut cells = Vec::new();
    for setting in plan::settings(Workload::W8, options) {
        let count = options.rounds(Workload::W8);
        let samples = rounds(&setting, &options.peers(), count, |job| runner.visits(job));
        let cell = |own| Cell::new(&setting, own, &samples);
        cells.extend(samples.iter().map(cell));
    }
    cells
}

impl Cell {
    fn new(setting: &Job, own: &Samples<Outcome>, all: &[Samples<Outcome>]) -> Self {
        let outcomes = &own.outcomes;
        let of = |value: fn(&Outcome) -> f64| median(outcomes.iter().map(value).collect());
        let to_seed = |value| Ratio::to(Peer::Seed, own, all, value);
        Self {
            workload: Workload::W8,
            peer: own.peer,
            rounds: outcomes.len(),
            live: setting.channels,
            readers: outcomes.iter().map(|run| run.readers).min(),
            subscribed_p50_us: of(|run| run.subscribed_p50_us),
            subscribed_p99_us: of(|run| run.subscribed_p99_us),
            first_p50_us: of(|run| run.first_p50_us),
            first_p99_us: of(|run| run.first_p99_us),
            first_max_us: of(|run| run.first_max_us),
            cpu_us: of(|run| run.cpu_us),
            first_to_seed: to_seed(|run| Some(run.first_p50_us)),
            cpu_to_seed: to_seed(|run| Some(run.cpu_us)),
            missed: outcomes.iter().map(|run| run.missed).max(),
            left: outcomes.iter().map(|run| run.left).max(),
            second: outcomes.iter().map(|run| run.second).max(),
            peak_mib: outcomes
                .iter()
                .map(|run| run.peak_kib)
                .max()
                .map(|kib| kib as f64 / 1024.0),
            not_run: own.not_run.clone(),
        }
    }
}
