//! A client under measurement, in its own process.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::job::{Job, Workload};
use crate::lanes::{Lanes, Mark};
use crate::{Result, coming, many, peers, process, usage};

pub(crate) const ROLE: &str = "client";

/// How often the count is polled.
const TICK: Duration = Duration::from_millis(5);
/// After this time without progress the remaining messages count as lost. It is longer than the
/// stall of W6.
const SILENCE: Duration = Duration::from_secs(2);
const FIRST: Duration = Duration::from_secs(15);

/// The results of a client's run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) expected: u64,
    pub(crate) handled: u64,
    /// How much the peer reports as lost, in its own unit.
    pub(crate) reported_lost: Option<u64>,
    /// From the first to the last message.
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) allocations: Option<u64>,
    /// Resident memory when subscribed to everything, before the first message.
    pub(crate) idle_kib: u64,
    pub(crate) peak_kib: u64,
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
    pub(crate) max_us: Option<f64>,
}

pub(crate) fn main(job: &str, port: &str) -> Result<()> {
    let input = process::input();
    let job = Job::from_arg(job)?;
    let port = port.parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    match job.workload {
        Workload::W8 => {
            let go = move || {
                println!("ready");
                input.recv()?;
                Ok(())
            };
            print(&runtime.block_on(coming::run(job, port, go))?)?;
        }
        Workload::W9 => runtime.block_on(many::run(job, port, input))?,
        _ => print(&runtime.block_on(measure(&job, port))?)?,
    }
    // Closing down is not measured, and takes long for some peers.
    std::process::exit(0);
}

fn print(outcome: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(outcome)?);
    Ok(())
}

async fn measure(job: &Job, port: u16) -> Result<Outcome> {
    let lanes = job.peer.lanes(job);
    let running = peers::start(job, port, &lanes).await?;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let idle_kib = usage::resident_kib();
    println!("ready");
    let (first, last) = wait(&lanes, job.deliveries()).await;
    // Duplicates show as more messages handled than expected.
    tokio::time::sleep(4 * TICK).await;
    running.ask_lost(&lanes);

    let latencies = lanes.latencies_ns();
    let at = |part: f64| {
        let index =
            ((latencies.len() as f64 * part) as usize).min(latencies.len().saturating_sub(1));
        latencies.get(index).map(|ns| *ns as f64 / 1e3)
    };
    Ok(Outcome {
        expected: job.deliveries(),
        handled: lanes.handled(),
        reported_lost: lanes.reported_lost(),
        seconds: (last.at - first.at).as_secs_f64(),
        cpu_seconds: (last.cpu - first.cpu).as_secs_f64(),
        allocations: last
            .allocations
            .zip(first.allocations)
            .map(|(last, first)| last - first),
        idle_kib,
        peak_kib: usage::peak_kib(),
        p50_us: at(0.5),
        p99_us: at(0.99),
        max_us: at(1.0),
    })
}

/// Waits for the last message, and returns the marks of the first and the last.
async fn wait(lanes: &Lanes, expected: u64) -> (Mark, Mark) {
    let began = Instant::now();
    let mut progress = Mark::now();
    let mut seen = 0;
    loop {
        tokio::time::sleep(TICK).await;
        let handled = lanes.handled();
        if handled != seen {
            seen = handled;
            progress = Mark::now();
        }
        if let (Some(first), Some(last)) = (lanes.first(), lanes.last()) {
            return (first, last);
        }
        let silence = if seen == 0 { FIRST } else { SILENCE };
        if handled >= expected || progress.at.max(began).elapsed() > silence {
            return (lanes.first().unwrap_or(progress), progress);
        }
    }
}
