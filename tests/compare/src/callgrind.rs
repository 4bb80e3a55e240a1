//! Instructions, counted by valgrind's callgrind.

use std::ffi::OsString;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::job::Job;
use crate::payload::{self, Quote, SMALL};
use crate::run::Runner;

pub(crate) const DECODE_ROLE: &str = "decode";

/// A result is the difference of two runs: what starting and subscribing costs falls out.
const FEW: u64 = 5_000;
const MANY: u64 = 25_000;

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
        self.difference(|messages| {
            runner
                .run(&Job {
                    messages,
                    ..job.clone()
                })
                .map(drop)
        })
    }

    /// Instructions for decoding a message.
    pub(crate) fn decoding(&self) -> Result<f64> {
        let command = self.command();
        self.difference(|times| {
            let mut decode = Command::new(&command[0]);
            decode
                .args(&command[1..])
                .args([DECODE_ROLE, &times.to_string()]);
            let status = decode.status()?;
            if status.success() {
                Ok(())
            } else {
                Err(status.to_string().into())
            }
        })
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

    fn difference(&self, run: impl Fn(u64) -> Result<()>) -> Result<f64> {
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
        Ok((count(MANY)? - count(FEW)?) / (MANY - FEW) as f64)
    }
}

/// Decodes a message so many times and does nothing else.
pub(crate) fn decode(times: &str) -> Result<()> {
    let mut bytes = Vec::new();
    payload::write(&mut bytes, 0, SMALL);
    for _ in 0..times.parse::<u64>()? {
        let quote: Quote = serde_json::from_slice(black_box(&bytes))?;
        black_box(&quote);
    }
    Ok(())
}
