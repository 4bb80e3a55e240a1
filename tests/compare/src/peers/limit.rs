//! The limit of the machine: one thread on a blocking socket that scans just enough of a frame to
//! find the payload.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use super::Running;
use crate::Result;
use crate::job::Job;
use crate::lanes::{Lane, Lanes};
use crate::resp::{command, header};

const READ: usize = 64 * 1024;

pub(super) fn start(job: &Job, port: u16, lanes: &Lanes) -> Result<Running> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    let names = job.channel_names();
    let subscribe: Vec<&str> = std::iter::once("SUBSCRIBE")
        .chain(names.iter().map(String::as_str))
        .collect();
    socket.write_all(&command(["HELLO", "3"]))?;
    socket.write_all(&command(subscribe))?;
    let (confirmed, confirmation) = mpsc::channel();
    let reader = Reader {
        socket: socket.try_clone()?,
        lane: lanes.lane(0),
        fan_out: job.fan_out(),
        unconfirmed: job.channels,
        confirmed,
    };
    std::thread::spawn(move || reader.run());
    confirmation.recv_timeout(Duration::from_secs(10))?;
    Ok(Running::new(socket))
}

struct Reader {
    socket: TcpStream,
    lane: Arc<Lane>,
    fan_out: usize,
    unconfirmed: usize,
    confirmed: mpsc::Sender<()>,
}

impl Reader {
    fn run(mut self) -> Option<()> {
        let mut buffer = vec![0; READ];
        let (mut start, mut end) = (0, 0);
        loop {
            if end == buffer.len() {
                buffer.copy_within(start..end, 0);
                (start, end) = (0, end - start);
                if end > buffer.len() / 2 {
                    buffer.resize(2 * buffer.len(), 0);
                }
            }
            let count = self.socket.read(&mut buffer[end..]).ok()?;
            if count == 0 {
                return None;
            }
            end += count;
            while let Some(used) = self.frame(&buffer[start..end]) {
                start += used;
            }
        }
    }

    /// Handles the first frame if it is complete, and returns its length. The reply to HELLO is
    /// skipped line by line. Everything else is a push of three items.
    fn frame(&mut self, bytes: &[u8]) -> Option<usize> {
        if *bytes.first()? != b'>' {
            let line = bytes.windows(2).position(|pair| pair == b"\r\n")?;
            return Some(line + 2);
        }
        let (_, at) = header(bytes, 0, b'>')?;
        let (kind, at) = header(bytes, at, b'$')?;
        let message = bytes.get(at..at + kind)? == b"message";
        let (channel, at) = header(bytes, at + kind + 2, b'$')?;
        let at = at + channel + 2;
        if !message {
            let (_, used) = header(bytes, at, b':')?;
            self.unconfirmed -= 1;
            if self.unconfirmed == 0 {
                self.confirmed.send(()).ok()?;
            }
            return Some(used);
        }
        let (length, at) = header(bytes, at, b'$')?;
        bytes.get(at + length + 1)?;
        for _ in 0..self.fan_out {
            self.lane.serve_blocking(&bytes[at..at + length]);
        }
        Some(at + length + 2)
    }
}
