//! The client of W8, in its own process.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::control::Control;
use super::second::{self, Second};
use crate::job::Job;
use crate::peers::Peer;
use crate::readers::{Client, Fred, Item, Reader, RedisPush, Rustis, Seed};
use crate::{Result, usage};

/// After this time a message is published again, because the first may have reached the server before
/// the subscription did.
const AGAIN: Duration = Duration::from_millis(10);
/// How long readers come and go at most.
const LONGEST: Duration = Duration::from_secs(30);

/// The results of a client's run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// How many readers have come and gone, without the warm-up.
    pub(crate) readers: u64,
    /// Until the peer says that the name is subscribed.
    pub(crate) subscribed_p50_us: f64,
    pub(crate) subscribed_p99_us: f64,
    /// Until the first message, which is published when the peer has said so.
    pub(crate) first_p50_us: f64,
    pub(crate) first_p99_us: f64,
    pub(crate) first_max_us: f64,
    /// CPU time for a reader, from subscribing until the server has forgotten its name.
    pub(crate) cpu_us: f64,
    /// Readers that did not receive what was published when the peer had said that their name was
    /// subscribed.
    pub(crate) missed: u64,
    /// Names that are still subscribed five seconds after their readers have gone.
    pub(crate) left: usize,
    pub(crate) second: Second,
    pub(crate) peak_kib: u64,
}

pub(crate) async fn run(job: Job, port: u16, go: impl FnOnce() -> Result<()>) -> Result<Outcome> {
    match job.peer {
        Peer::RedisPush => measure(RedisPush::connect(port).await?, &job, port, go).await,
        Peer::RedisPushWire => measure(RedisPush::connect_wire(port).await?, &job, port, go).await,
        Peer::Seed => measure(Seed::connect(port).await?, &job, port, go).await,
        Peer::Fred => measure(Fred::connect(port).await?, &job, port, go).await,
        Peer::Rustis => measure(Rustis::connect(port).await?, &job, port, go).await,
        Peer::Floor | Peer::Limit | Peer::Ruststream => Err("this peer has no readers".into()),
    }
}

/// `go` returns when the server has confirmed the names that stay.
async fn measure(
    client: impl Client,
    job: &Job,
    port: u16,
    go: impl FnOnce() -> Result<()>,
) -> Result<Outcome> {
    let control = Control::connect(port)?;
    for channel in job.channel_names() {
        let mut reader = client.subscribe(&channel).await?;
        tokio::spawn(async move { while reader.next().await.is_some() {} });
    }
    go()?;

    // In a task, as the readers of a service are.
    tokio::spawn(visit(client, job.messages, control)).await?
}

async fn visit(client: impl Client, readers: u64, mut control: Control) -> Result<Outcome> {
    let warmup = readers / 10;
    for index in 0..warmup {
        let mut visit = Visit::default();
        visit.run(&client, &mut control, index).await?;
    }
    control.settle().await?;

    let (mut subscribed, mut first) = (Vec::new(), Vec::new());
    let mut missed = 0;
    let began = Instant::now();
    let cpu = usage::cpu();
    for index in warmup..warmup + readers {
        let mut visit = Visit::default();
        visit.run(&client, &mut control, index).await?;
        subscribed.push(visit.subscribed);
        first.push(visit.first);
        missed += u64::from(visit.missed);
        if began.elapsed() > LONGEST {
            break;
        }
    }
    let left = control.settle().await?;
    let cpu = usage::cpu() - cpu;
    let readers = first.len() as u64;
    let peak_kib = usage::peak_kib();
    let second = second::attempt(&client, &mut control).await?;
    let [subscribed_p50_us, subscribed_p99_us, _] = percentiles(subscribed);
    let [first_p50_us, first_p99_us, first_max_us] = percentiles(first);
    Ok(Outcome {
        readers,
        subscribed_p50_us,
        subscribed_p99_us,
        first_p50_us,
        first_p99_us,
        first_max_us,
        cpu_us: cpu.as_secs_f64() * 1e6 / readers as f64,
        missed,
        left,
        second,
        peak_kib,
    })
}

/// The visit of one reader.
#[derive(Default)]
struct Visit {
    subscribed: Duration,
    first: Duration,
    missed: bool,
}

impl Visit {
    async fn run(&mut self, client: &impl Client, control: &mut Control, index: u64) -> Result<()> {
        let name = Control::name(index);
        let began = Instant::now();
        let mut reader = client.subscribe(&name).await?;
        self.subscribed = began.elapsed();
        let mut number = 0;
        control.publish(&name, number)?;
        loop {
            match timeout(AGAIN, reader.next()).await {
                Ok(Some(Item::Message(arrived))) => {
                    // A message that is only late is not missed.
                    self.missed = arrived > 0;
                    break;
                }
                Ok(Some(Item::Lost(_))) => {}
                Ok(None) => return Err("a reader has ended before its first message".into()),
                Err(_) if began.elapsed() > LONGEST => {
                    return Err(format!("{name} received nothing within 30 s").into());
                }
                Err(_) => {
                    number += 1;
                    control.publish(&name, number)?;
                }
            }
        }
        self.first = began.elapsed();
        client.leave(reader).await
    }
}

/// The median, the 99th percentile and the maximum in microseconds.
fn percentiles(mut times: Vec<Duration>) -> [f64; 3] {
    times.sort_unstable();
    [0.5, 0.99, 1.0].map(|part| {
        let index = (times.len() as f64 * part) as usize;
        let time = times.get(index.min(times.len().saturating_sub(1)));
        time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
    })
}
