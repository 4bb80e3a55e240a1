//! The results of one setting with one peer: medians over the rounds, and ratios within rounds.

use serde::Serialize;

use crate::Result;
use crate::client::Outcome;
use crate::job::{Job, Source, Workload};
use crate::peers::Peer;
use crate::run::Runner;

/// The runs of one peer in one setting, one for each round.
pub(crate) struct Samples<T = Outcome> {
    pub(crate) peer: Peer,
    pub(crate) outcomes: Vec<T>,
    pub(crate) not_run: Option<String>,
}

/// Runs every peer once in each round, in alternating order.
pub(crate) fn measure(
    setting: &Job,
    peers: &[Peer],
    count: usize,
    runner: &Runner,
) -> Vec<Samples> {
    rounds(setting, peers, count, |job| runner.run(job))
}

/// Like [`measure`], for runs of any kind.
pub(crate) fn rounds<T>(
    setting: &Job,
    peers: &[Peer],
    rounds: usize,
    run: impl Fn(&Job) -> Result<T>,
) -> Vec<Samples<T>> {
    let mut all: Vec<Samples<T>> = peers
        .iter()
        .map(|&peer| {
            let not_run = peer.refuses(setting).map(str::to_owned);
            Samples {
                peer,
                outcomes: Vec::new(),
                not_run,
            }
        })
        .collect();
    for round in 0..rounds {
        let mut order: Vec<usize> = (0..all.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for index in order {
            let samples = &mut all[index];
            if samples.not_run.is_some() {
                continue;
            }
            let job = setting.for_peer(samples.peer);
            eprintln!(
                "{}, round {} of {rounds}: {}",
                job.label(),
                round + 1,
                job.peer
            );
            match run(&job) {
                Ok(outcome) => samples.outcomes.push(outcome),
                Err(error) => {
                    eprintln!("{} did not run: {error}", job.peer);
                    samples.not_run = Some(error.to_string());
                }
            }
        }
    }
    all
}

/// A line of `results.jsonl`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cell {
    pub(crate) workload: Workload,
    pub(crate) source: Source,
    pub(crate) handlers: usize,
    pub(crate) channels: usize,
    pub(crate) payload_bytes: usize,
    pub(crate) borrowed: bool,
    pub(crate) shared: bool,
    pub(crate) decodes: bool,
    pub(crate) peer: Peer,
    pub(crate) rounds: usize,
    /// Messages times the handlers that receive each.
    pub(crate) deliveries: u64,
    /// Deliveries a second.
    pub(crate) msgs_per_s: Option<f64>,
    pub(crate) cpu_us_per_msg: Option<f64>,
    /// In the worst round, like the following fields.
    pub(crate) lost: Option<u64>,
    pub(crate) reported_lost: Option<u64>,
    pub(crate) account: Option<Account>,
    pub(crate) peak_mib: Option<f64>,
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
    pub(crate) max_us: Option<f64>,
    /// The difference between the fastest and the slowest round in messages a second, as a part of
    /// the median.
    pub(crate) spread: Option<f64>,
    pub(crate) rate_to_floor: Option<Ratio>,
    pub(crate) rate_to_seed: Option<Ratio>,
    pub(crate) rate_to_limit: Option<Ratio>,
    pub(crate) rate_to_rustis: Option<Ratio>,
    pub(crate) cpu_to_floor: Option<Ratio>,
    pub(crate) cpu_to_seed: Option<Ratio>,
    pub(crate) p50_to_floor: Option<Ratio>,
    /// Why there are fewer rounds than requested.
    pub(crate) not_run: Option<String>,
}

/// Whether all messages are accounted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Account {
    /// Everything was handled.
    Complete,
    /// Some were lost, and the peer reports exactly that number.
    Exact,
    /// Some were lost, and the peer reports another number.
    Inexact,
    /// Some were lost, and the peer does not report that to the program.
    Silent,
    /// Some were handled twice.
    Duplicated,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Cell {
    pub(crate) fn all(setting: &Job, samples: &[Samples]) -> Vec<Self> {
        samples
            .iter()
            .map(|own| Self::new(setting, own, samples))
            .collect()
    }

    fn new(setting: &Job, own: &Samples, all: &[Samples]) -> Self {
        let outcomes = &own.outcomes;
        let of = |value: fn(&Outcome) -> Option<f64>| {
            median(outcomes.iter().filter_map(value).collect())
        };
        let worst = |value: fn(&Outcome) -> Option<u64>| outcomes.iter().filter_map(value).max();
        let to = |peer, value| Ratio::to(peer, own, all, value);
        let rates: Vec<f64> = outcomes.iter().filter_map(rate).collect();
        let high = rates.iter().copied().fold(f64::MIN, f64::max);
        let low = rates.iter().copied().fold(f64::MAX, f64::min);
        Self {
            workload: setting.workload,
            source: setting.source,
            handlers: setting.handlers,
            channels: setting.channels,
            payload_bytes: setting.payload,
            borrowed: setting.borrowed,
            shared: setting.shared,
            decodes: setting.decodes,
            peer: own.peer,
            rounds: outcomes.len(),
            deliveries: setting.for_peer(own.peer).deliveries(),
            msgs_per_s: of(rate),
            cpu_us_per_msg: of(cpu_us),
            lost: worst(|run| Some(run.lost())),
            reported_lost: worst(|run| run.reported_lost),
            account: outcomes.iter().map(Outcome::account).max(),
            peak_mib: worst(|run| Some(run.peak_kib)).map(|kib| kib as f64 / 1024.0),
            p50_us: of(|run| run.p50_us),
            p99_us: of(|run| run.p99_us),
            max_us: of(|run| run.max_us),
            spread: median(rates).map(|median| (high - low) / median),
            rate_to_floor: to(Peer::Floor, rate),
            rate_to_seed: to(Peer::Seed, rate),
            rate_to_limit: to(Peer::Limit, rate),
            rate_to_rustis: to(Peer::Rustis, rate),
            cpu_to_floor: to(Peer::Floor, cpu_us),
            cpu_to_seed: to(Peer::Seed, cpu_us),
            p50_to_floor: to(Peer::Floor, |run| run.p50_us),
            not_run: own.not_run.clone(),
        }
    }
}

impl Outcome {
    pub(crate) fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.handled)
    }

    fn account(&self) -> Account {
        let reported = self.reported_lost.unwrap_or(0);
        match self.lost() {
            0 if self.handled > self.expected => Account::Duplicated,
            0 => Account::Complete,
            lost if lost == reported => Account::Exact,
            _ if reported > 0 => Account::Inexact,
            _ => Account::Silent,
        }
    }
}

fn rate(run: &Outcome) -> Option<f64> {
    (run.seconds > 0.0).then(|| run.handled as f64 / run.seconds)
}

fn cpu_us(run: &Outcome) -> Option<f64> {
    (run.handled > 0).then(|| run.cpu_seconds * 1e6 / run.handled as f64)
}

impl Ratio {
    /// The ratio to another peer's runs of the same rounds.
    pub(crate) fn to<T>(
        peer: Peer,
        own: &Samples<T>,
        all: &[Samples<T>],
        value: fn(&T) -> Option<f64>,
    ) -> Option<Self> {
        let base = all
            .iter()
            .find(|samples| samples.peer == peer && peer != own.peer)?;
        Self::paired(&own.outcomes, &base.outcomes, value)
    }

    fn paired<T>(own: &[T], base: &[T], value: fn(&T) -> Option<f64>) -> Option<Self> {
        let pairs = own.iter().zip(base);
        let ratios: Vec<f64> = pairs
            .filter_map(|(own, base)| Some(value(own)? / value(base)?))
            .filter(|ratio| ratio.is_finite())
            .collect();
        Some(Self {
            low: ratios.iter().copied().fold(f64::MAX, f64::min),
            high: ratios.iter().copied().fold(f64::MIN, f64::max),
            median: median(ratios)?,
        })
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        return values.get(middle).copied();
    }
    Some((values.get(middle.checked_sub(1)?)? + values.get(middle)?) / 2.0)
}
