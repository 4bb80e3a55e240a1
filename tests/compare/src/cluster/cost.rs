//! What a message of a sharded channel costs a subscriber over one and over three primaries.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use leash::Leashed;
use redis_push::{Fault, Handler, Mount, Push, Spec, Subscriber, Subscription};
use tests::{ClusterShape, RealCluster, ServerBinary};

use crate::{Result, usage};

/// The argument that makes this program the publisher, before the messages a second, their number, and then
/// the address of the node of each name.
const ROLE: &str = "publish-to-a-cluster";
const NAMES: usize = 24;
const BYTES: usize = 100;
/// Messages a second, all names together.
const RATES: [u64; 2] = [20_000, 60_000];
/// How long a measurement lasts.
const LASTS: Duration = Duration::from_secs(3);

fn name(index: usize) -> String {
    format!("cost.{index}")
}

struct Counter {
    index: usize,
    count: Arc<AtomicU64>,
}

impl Handler<()> for Counter {
    fn spec(&self) -> Spec {
        let name = name(self.index);
        Spec::new(name.clone()).on(Subscription::shard(name))
    }

    async fn handle(&self, push: Push<'_>, _state: &()) -> std::result::Result<(), Fault> {
        std::hint::black_box(push.payload());
        self.count.fetch_add(1, Relaxed);
        Ok(())
    }
}

/// Measures both in turn, and prints the table.
pub(super) async fn measure(binary: &ServerBinary, rounds: u64) -> Result<()> {
    println!(
        "| messages a second | CPU µs a message over 1 primary | over 3 primaries | ratio, median (lowest–highest) |\n\
         | --- | --- | --- | --- |"
    );
    for rate in RATES {
        let (mut one, mut three, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            one.push(cost(binary, 1, rate).await?);
            three.push(cost(binary, 3, rate).await?);
            ratios.push(three[three.len() - 1] / one[one.len() - 1]);
        }
        let median = |values: &mut Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let (one, three, ratio) = (median(&mut one), median(&mut three), median(&mut ratios));
        println!(
            "| {rate} | {one:.2} | {three:.2} | {ratio:.2} ({:.2}–{:.2}) |",
            ratios[0],
            ratios[ratios.len() - 1]
        );
    }
    Ok(())
}

/// Returns the CPU time of this process for each message, in microseconds.
async fn cost(binary: &ServerBinary, primaries: usize, rate: u64) -> Result<f64> {
    let shape = ClusterShape {
        primaries,
        replicas: 0,
        node_timeout: Duration::from_secs(5),
        ..ClusterShape::default()
    };
    let cluster = RealCluster::start_with(binary, shape).await;
    let count = Arc::new(AtomicU64::new(0));
    let counters = (0..NAMES).map(|index| {
        let count = Arc::clone(&count);
        Mount::new(Counter { index, count })
    });
    let counters: Vec<_> = counters.collect();
    let subscriber = Subscriber::cluster(cluster.urls()).handlers(counters);
    let handle = subscriber.start().await?;
    let messages = rate * LASTS.as_secs();
    let mut addresses = Vec::new();
    for index in 0..NAMES {
        addresses.push(cluster.node_of(&name(index)).await.addr().to_string());
    }
    let before = usage::cpu();
    let publisher = Leashed::spawn(std::env::current_exe()?, |publisher| {
        publisher
            .args([ROLE, &rate.to_string(), &messages.to_string()])
            .args(&addresses)
            .stdout(Stdio::null())
    })?;
    let begun = Instant::now();
    while count.load(Relaxed) < messages {
        if begun.elapsed() > LASTS * 5 {
            let heard = count.load(Relaxed);
            return Err(format!("{heard} of {messages} messages came in time").into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = usage::cpu() - before;
    drop(publisher);
    drop(handle);
    Ok(took.as_secs_f64() * 1e6 / messages as f64)
}

/// Publishes, if this process was started for that.
pub(super) fn role() -> Option<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [role, rate, messages, addresses @ ..] = args.as_slice() else {
        return None;
    };
    if role != ROLE {
        return None;
    }
    let published = publish(rate, messages, addresses);
    Some(published.map_or_else(
        |error| {
            eprintln!("the publisher: {error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    ))
}

fn publish(rate: &str, messages: &str, addresses: &[String]) -> Result<()> {
    const TICK: Duration = Duration::from_millis(2);
    let (rate, messages): (u64, u64) = (rate.parse()?, messages.parse()?);
    // One connection to each node, whose replies are discarded.
    let mut connections: Vec<(SocketAddr, TcpStream)> = Vec::new();
    let mut node_of = Vec::new();
    for address in addresses {
        let address: SocketAddr = address.parse()?;
        let known = connections.iter().position(|(known, _)| *known == address);
        node_of.push(known.unwrap_or(connections.len()));
        if known.is_none() {
            let connection = TcpStream::connect(address)?;
            connection.set_nodelay(true)?;
            let replies = BufReader::new(connection.try_clone()?);
            std::thread::spawn(move || replies.lines().map_while(std::result::Result::ok).count());
            connections.push((address, connection));
        }
    }
    let payload = "x".repeat(BYTES);
    let mut buffers = vec![Vec::new(); connections.len()];
    let begun = Instant::now();
    let mut sent = 0;
    while sent < messages {
        let due = (begun.elapsed().as_secs_f64() * rate as f64) as u64;
        while sent < due.min(messages) {
            let index = sent as usize % node_of.len();
            let name = name(index);
            let buffer = &mut buffers[node_of[index]];
            write!(
                buffer,
                "*3\r\n$8\r\nSPUBLISH\r\n${}\r\n{name}\r\n${BYTES}\r\n{payload}\r\n",
                name.len()
            )?;
            sent += 1;
        }
        for (buffer, (_, connection)) in buffers.iter_mut().zip(&mut connections) {
            connection.write_all(buffer)?;
            buffer.clear();
        }
        std::thread::sleep(TICK);
    }
    // The replies that are on their way keep the servers from seeing a reset.
    std::thread::sleep(Duration::from_secs(1));
    Ok(())
}
