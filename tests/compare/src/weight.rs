//! W4: the memory of an idle handler, and the allocations and instructions of a delivery. These
//! hardly depend on how busy the machine is, so they are measured once.

use std::env;
use std::ffi::OsString;
use std::process::Command;

use serde::Serialize;

use crate::Result;
use crate::callgrind::Callgrind;
use crate::job::{Job, Source, Workload};
use crate::options::Options;
use crate::peers::Peer;
use crate::plan;
use crate::run::Runner;

/// The number of idle handlers, and of handlers that share the deliveries if none is given.
const IDLE: usize = 1_000;
const BUSY: usize = 10;
/// A message has two strings.
const ALLOCATIONS_DECODING: f64 = 2.0;
const COUNTING: &str = "compare-allocs";

#[derive(Debug, Serialize)]
pub(crate) struct Weight {
    workload: Workload,
    pub(crate) peer: Peer,
    pub(crate) handlers: usize,
    /// How many handlers share the deliveries.
    busy_handlers: usize,
    pub(crate) bytes_per_handler: Option<f64>,
    pub(crate) allocations_per_delivery: Option<f64>,
    pub(crate) allocations_decoding: f64,
    pub(crate) instructions_per_delivery: Option<f64>,
    pub(crate) instructions_decoding: Option<f64>,
    /// Why a column is empty.
    pub(crate) not_run: Vec<String>,
}

pub(crate) fn measure(options: &Options, runner: &Runner) -> Vec<Weight> {
    let counting = counting_client().map_err(|error| error.to_string());
    let callgrind = options
        .instructions
        .then(|| Callgrind::new(runner, &options.out));
    let decoding = callgrind.as_ref().map(Callgrind::decoding);
    let weigh = |peer: Peer| {
        eprintln!("W4: {peer}");
        let busy = options.handlers.first().map_or(BUSY, |count| count.get());
        let busy = busy.min(peer.most_handlers());
        let mut weight = Weight {
            workload: Workload::W4,
            peer,
            handlers: peer.most_handlers().min(IDLE),
            busy_handlers: busy,
            bytes_per_handler: None,
            allocations_per_delivery: None,
            allocations_decoding: ALLOCATIONS_DECODING,
            instructions_per_delivery: None,
            instructions_decoding: None,
            not_run: Vec::new(),
        };
        let job = |handlers| Job {
            peer,
            ..setting(handlers, options.quick)
        };
        if let Some(reason) = peer.refuses(&job(busy)) {
            weight.not_run.push(format!("not run: {reason}"));
            return weight;
        }
        let idle = idle_bytes(&job(1), &job(weight.handlers), runner);
        weight.bytes_per_handler = weight.keep(idle);
        let allocations = counting.clone().map_err(Into::into);
        let allocations = allocations.and_then(|client| allocations_in(&job(busy), runner, client));
        weight.allocations_per_delivery = weight.keep(allocations);
        if let Some(callgrind) = &callgrind {
            weight.instructions_per_delivery = weight.keep(callgrind.delivering(&job(busy)));
        }
        if let Some(Ok(decoding)) = &decoding {
            weight.instructions_decoding = Some(*decoding);
        }
        weight
    };
    options.peers().into_iter().map(weigh).collect()
}

impl Weight {
    fn keep(&mut self, result: Result<f64>) -> Option<f64> {
        result
            .map_err(|error| self.not_run.push(error.to_string()))
            .ok()
    }
}

fn setting(handlers: usize, quick: bool) -> Job {
    let job = plan::setting(Workload::W4, Source::Canned, handlers, quick);
    Job {
        workload: Workload::W4,
        ..job
    }
}

/// How much each handler but the first adds to the memory of a subscribed client.
fn idle_bytes(one: &Job, many: &Job, runner: &Runner) -> Result<f64> {
    let few = |job: &Job| {
        runner.run(&Job {
            messages: job.channels as u64,
            ..job.clone()
        })
    };
    let more = few(many)?.idle_kib as f64 - few(one)?.idle_kib as f64;
    Ok(more * 1024.0 / (many.handlers - one.handlers) as f64)
}

fn allocations_in(job: &Job, runner: &Runner, client: Vec<OsString>) -> Result<f64> {
    let outcome = runner.with_client(client).run(job)?;
    let count = outcome
        .allocations
        .ok_or("the client did not count its allocations")?;
    Ok(count as f64 / outcome.handled as f64)
}

/// Builds this program with a counting allocator, which `cargo run` does not build.
fn counting_client() -> Result<Vec<OsString>> {
    let program = env::current_exe()?.with_file_name(COUNTING);
    if let Some(cargo) = env::var_os("CARGO") {
        let mut build = Command::new(cargo);
        build.args(["build", "--package", "compare", "--bin", COUNTING]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        build.status()?;
    }
    if program.is_file() {
        Ok(vec![program.into_os_string()])
    } else {
        Err(format!("allocations are not counted without `{COUNTING}`: build it as well").into())
    }
}
