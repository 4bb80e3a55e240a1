//! Publishes numbered messages.

use std::io;
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::stream::Lane;

/// A connection that publishes without waiting for replies.
pub(crate) struct Publisher {
    writer: OwnedWriteHalf,
    out: Vec<u8>,
    sent: u64,
    answered: watch::Receiver<u64>,
}

impl Publisher {
    /// Connects to a server.
    ///
    /// # Panics
    ///
    /// If the server does not accept.
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.expect("a server");
        stream.set_nodelay(true).expect("a socket");
        let (reader, writer) = stream.into_split();
        let (count, answered) = watch::channel(0);
        tokio::spawn(read_replies(reader, count));
        Self {
            writer,
            out: Vec::new(),
            sent: 0,
            answered,
        }
    }

    /// Queues a `PUBLISH` for the next flush.
    pub(crate) fn publish(&mut self, channel: impl AsRef<[u8]>, payload: &[u8]) {
        self.command(&[b"PUBLISH", channel.as_ref(), payload]);
    }

    /// Queues any command whose reply is one line.
    pub(crate) fn command(&mut self, words: &[&[u8]]) {
        self.out.extend(format!("*{}\r\n", words.len()).bytes());
        for word in words {
            self.out.extend(format!("${}\r\n", word.len()).bytes());
            self.out.extend_from_slice(word);
            self.out.extend(b"\r\n");
        }
        self.sent += 1;
    }

    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        self.writer.write_all(&self.out).await?;
        self.out.clear();
        if self.out.capacity() > 1 << 20 {
            self.out = Vec::new();
        }
        Ok(())
    }

    /// Flushes, and waits until the server has replied to everything.
    ///
    /// # Panics
    ///
    /// If the server does not reply.
    pub(crate) async fn fence(&mut self) {
        self.flush().await.expect("a connection");
        let sent = self.sent;
        tests::within(
            "the publisher's replies",
            self.answered.wait_for(|count| *count >= sent),
        )
        .await
        .expect("a connection");
    }
}

async fn read_replies(mut reader: OwnedReadHalf, answered: watch::Sender<u64>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = reader.read(&mut buffer).await {
        let lines = buffer[..count]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        answered.send_modify(|answered| *answered += lines as u64);
    }
}

/// Nanoseconds since the first call.
pub(crate) fn now_ns() -> u64 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(BEGAN.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// The payload of a message: its number, the time, and dots up to a size.
pub(crate) fn payload(number: u64, size: usize) -> Vec<u8> {
    let mut payload = format!("{number} {} ", now_ns()).into_bytes();
    payload.resize(payload.len().max(size), b'.');
    payload
}

/// A publisher that publishes at a steady rate until it is stopped.
pub(crate) struct Load {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Vec<u64>>,
}

/// How much is published, all lanes together.
#[derive(Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) per_second: u32,
    pub(crate) bytes: usize,
}

impl Load {
    pub(crate) async fn start(addr: SocketAddr, lanes: &[Lane], rate: Rate) -> Self {
        let publisher = Publisher::connect(addr).await;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(publish(publisher, lanes.to_vec(), rate, stopped));
        Self { stop, task }
    }

    /// Stops publishing, and returns how many messages the server has accepted for each lane.
    ///
    /// # Panics
    ///
    /// If the publisher's own connection was lost.
    pub(crate) async fn stop(self) -> Vec<u64> {
        let _ = self.stop.send(());
        self.task.await.expect("the publisher's own connection")
    }
}

async fn publish(
    mut publisher: Publisher,
    lanes: Vec<Lane>,
    rate: Rate,
    mut stopped: oneshot::Receiver<()>,
) -> Vec<u64> {
    const TICK: Duration = Duration::from_millis(2);
    let mut counts = vec![0; lanes.len()];
    let begun = Instant::now();
    let mut total = 0;
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            _ = ticks.tick() => {}
        }
        let due = (begun.elapsed().as_secs_f64() * f64::from(rate.per_second)) as u64;
        // Messages that are late are caught up, at most a second's worth at a time.
        let end = due.min(total + u64::from(rate.per_second));
        while total < end {
            let index = total as usize % lanes.len();
            let channels = &lanes[index].channels;
            let number = counts[index];
            let channel = &channels[number as usize % channels.len()];
            publisher.publish(channel, &payload(number, rate.bytes));
            counts[index] += 1;
            total += 1;
        }
        publisher.flush().await.expect("a connection");
    }
    publisher.fence().await;
    counts
}
