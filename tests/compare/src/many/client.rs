//! The client of W9, in its own process: it seats the readers once, and counts one trial after
//! another.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::tally::Tally;
use crate::job::Job;
use crate::lanes::Mark;
use crate::{Result, readers, usage};

const TICK: Duration = Duration::from_millis(10);
/// How often progress is looked for, which reads the counter of each reader.
const LOOK: Duration = Duration::from_millis(100);
/// After this time without progress the remaining deliveries count as lost.
const SILENCE: Duration = Duration::from_millis(500);
const FIRST: Duration = Duration::from_secs(10);

/// The counts of one trial.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Trial {
    pub(crate) expected: u64,
    pub(crate) handled: u64,
    /// How many deliveries the peer reports as lost.
    pub(crate) lost: u64,
    /// From the first to the last delivery.
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    /// From sending the first message to sending the last.
    pub(crate) sent_seconds: f64,
    /// How long the last message was on the way to the last of the readers.
    pub(crate) last_took_ms: f64,
    pub(crate) peak_kib: u64,
}

/// Serves the trials that the input asks for, each with a number of messages, until it ends.
pub(crate) async fn run(job: Job, port: u16, input: Receiver<String>) -> Result<()> {
    let tally = Arc::new(Tally::new(job.handlers));
    let _crowd = readers::crowd(&job, port, &tally).await?;
    println!("ready");
    while let Ok(line) = input.recv() {
        tally.begin(line.parse()?);
        println!("begun");
        let trial = count(&tally).await;
        println!("{}", serde_json::to_string(&trial)?);
    }
    Ok(())
}

/// Waits for the last delivery of a trial.
async fn count(tally: &Tally) -> Trial {
    let mut progress = Mark::now();
    let mut looked = Instant::now();
    let mut seen = 0;
    while !tally.is_complete() {
        tokio::time::sleep(TICK).await;
        if looked.elapsed() < LOOK {
            continue;
        }
        looked = Instant::now();
        let handled = tally.handled();
        if handled != seen {
            seen = handled;
            progress = Mark::now();
        }
        let silence = if seen == 0 { FIRST } else { SILENCE };
        if progress.at.elapsed() > silence {
            break;
        }
    }
    // Messages that come twice show as more than expected.
    tokio::time::sleep(4 * TICK).await;
    let last = tally.last().unwrap_or(progress);
    let first = tally.first().unwrap_or(last);
    Trial {
        expected: tally.expected(),
        handled: tally.handled(),
        lost: tally.lost(),
        seconds: (last.at - first.at).as_secs_f64(),
        cpu_seconds: last.cpu.saturating_sub(first.cpu).as_secs_f64(),
        sent_seconds: Duration::from_nanos(tally.sent_ns()).as_secs_f64(),
        last_took_ms: Duration::from_nanos(tally.last_took_ns()).as_secs_f64() * 1e3,
        peak_kib: usage::peak_kib(),
    }
}
