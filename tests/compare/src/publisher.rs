//! The publisher of the real source, in its own process.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::Result;
use crate::job::{Job, Work};
use crate::resp::Frame;
use crate::{payload, process, usage};

pub(crate) const ROLE: &str = "publish";

/// How many bytes are written at once if there is no rate.
const CHUNK: usize = 64 * 1024;

pub(crate) fn main(job: &str, port: &str) -> Result<()> {
    let _input = process::input();
    let job = Job::from_arg(job)?;
    let mut connection = TcpStream::connect(("127.0.0.1", port.parse()?))?;
    connection.set_nodelay(true)?;
    let replies = connection.try_clone()?;
    let messages = job.messages;
    let reader = std::thread::spawn(move || read_replies(replies, messages));
    let channels = job.channel_names();
    let mut pace = Pace::new(&job);
    let mut out = Vec::new();
    let mut message = Vec::new();
    for number in 0..job.messages {
        pace.wait();
        message.clear();
        payload::write(&mut message, stamp(&job, number), job.payload);
        Frame::Publish.write(
            &mut out,
            &channels[number as usize % channels.len()],
            &message,
        );
        if job.rate.is_some() || out.len() >= CHUNK {
            connection.write_all(&out)?;
            out.clear();
        }
    }
    connection.write_all(&out)?;
    reader
        .join()
        .map_err(|_| "the reader of the replies panicked")?
}

fn read_replies(mut connection: TcpStream, messages: u64) -> Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut replies = 0;
    while replies < messages {
        let count = connection.read(&mut buffer)?;
        if count == 0 {
            return Err("the server closed the publisher's connection".into());
        }
        let lines = buffer[..count].iter().filter(|byte| **byte == b'\n');
        replies += lines.count() as u64;
    }
    Ok(())
}

/// The number in the payload: the time if the job measures it, else the message's number.
pub(crate) fn stamp(job: &Job, number: u64) -> u64 {
    match job.work {
        Work::Clock => usage::monotonic_ns(),
        _ => number,
    }
}

/// Keeps a rate without drift: a late message does not delay the following ones.
pub(crate) struct Pace {
    next: Instant,
    step: Option<Duration>,
}

impl Pace {
    pub(crate) fn new(job: &Job) -> Self {
        Self {
            next: Instant::now(),
            step: job.rate.map(|rate| Duration::from_secs(1) / rate as u32),
        }
    }

    pub(crate) fn wait(&mut self) {
        let Some(step) = self.step else { return };
        std::thread::sleep(self.next.saturating_duration_since(Instant::now()));
        self.next += step;
    }
}
