//! Counts instructions with valgrind's callgrind.

use std::ffi::OsString;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use leash::Leashed;

use crate::Result;
use crate::job::Job;
use crate::payload::{self, Quote, SMALL};
use crate::pieces::{self, Piece};
use crate::run::Runner;

pub(crate) const DECODE_ROLE: &str = "decode";
pub(crate) const PIECE_ROLE: &str = "piece";

/// A result is the difference of two runs, so that the cost of starting and subscribing cancels out.
const DELIVERIES: [u64; 2] = [5_000, 25_000];
/// At least so many for each handler, so that batches are as large as they get.
const DELIVERIES_OF_EACH: [u64; 2] = [20, 100];
/// How many more steps of a piece the longer run has.
const STEPS: u64 = 400_000;
const FEW_RUNS: u64 = 10;

pub(crate) struct Callgrind<'a> {
    runner: &'a Runner,
    counts: PathBuf,
}

impl<'a> Callgrind<'a> {
    pub(crate) fn new(runner: &'a Runner, out: &Path) -> Self {
        Self {
            runner,
            counts: out.join("callgrind.out"),
        }
    }

    /// Instructions for each delivery of a job.
    pub(crate) fn delivering(&self, job: &Job) -> Result<f64> {
        let runner = self.runner.with_client(self.command());
        let messages = [0, 1].map(|run| {
            let messages = match job.fan_out() as u64 {
                1 => DELIVERIES[run].max(DELIVERIES_OF_EACH[run] * job.handlers as u64),
                // More deliveries dilute the cost of everything else.
                handlers => 8 * DELIVERIES[run] / handlers,
            };
            messages.next_multiple_of(job.channels as u64)
        });
        let each = self.difference(messages, |messages| {
            runner
                .run(&Job {
                    messages,
                    ..job.clone()
                })
                .map(drop)
        })?;
        Ok(each / job.fan_out() as f64)
    }

    /// Instructions for decoding a message.
    pub(crate) fn decoding(&self) -> Result<f64> {
        self.difference(DELIVERIES, |times| {
            self.run(&[DECODE_ROLE, &times.to_string()])
        })
    }

    /// Instructions for a step of a piece.
    pub(crate) fn piece(&self, piece: &Piece) -> Result<f64> {
        let runs = [FEW_RUNS, FEW_RUNS + STEPS.div_ceil(piece.steps)];
        let each = self.difference(runs, |runs| {
            self.run(&[PIECE_ROLE, piece.name, &runs.to_string()])
        })?;
        Ok(each / piece.steps as f64)
    }

    /// Runs another role of this program.
    fn run(&self, role: &[&str]) -> Result<()> {
        let command = self.command();
        let mut process = Leashed::spawn(&command[0], |valgrind| {
            valgrind.args(&command[1..]).args(role)
        })?;
        let status = process.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(status.to_string().into())
        }
    }

    fn command(&self) -> Vec<OsString> {
        let mut counts = OsString::from("--callgrind-out-file=");
        counts.push(&self.counts);
        let valgrind = ["valgrind", "--quiet", "--tool=callgrind"].map(OsString::from);
        let program = self.runner.program.iter().cloned();
        valgrind
            .into_iter()
            .chain([counts])
            .chain(program)
            .collect()
    }

    fn difference(&self, times: [u64; 2], run: impl Fn(u64) -> Result<()>) -> Result<f64> {
        let count = |times| -> Result<f64> {
            let _ = fs::remove_file(&self.counts);
            run(times)?;
            let counts = fs::read_to_string(&self.counts)?;
            let total = counts
                .lines()
                .find_map(|line| line.strip_prefix("totals: "));
            let total = total.and_then(|total| total.trim().parse::<f64>().ok());
            Ok(total.ok_or("callgrind wrote no total")?)
        };
        let [few, many] = times;
        Ok((count(many)? - count(few)?) / (many - few) as f64)
    }
}

/// Runs a piece `times` times.
pub(crate) fn piece(name: &str, times: &str) -> Result<()> {
    let piece = pieces::all().into_iter().find(|piece| piece.name == name);
    let mut run = piece
        .ok_or_else(|| format!("unknown piece `{name}`"))?
        .start();
    for _ in 0..times.parse::<u64>()? {
        run();
    }
    Ok(())
}

/// Decodes a message `times` times and does nothing else.
pub(crate) fn decode(times: &str) -> Result<()> {
    let mut bytes = Vec::new();
    payload::write(&mut bytes, 0, SMALL);
    for _ in 0..times.parse::<u64>()? {
        let quote: Quote = serde_json::from_slice(black_box(&bytes))?;
        black_box(&quote);
    }
    Ok(())
}
