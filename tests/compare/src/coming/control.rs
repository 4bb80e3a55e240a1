//! The client's own connections to the server, beside the peer's: one publishes, one asks.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::resp::{Frame, command, header};
use crate::{Result, payload};

/// The names that come and go.
const NAMES: &str = "new.";
/// How often the server is asked for the names that are left. The answer lists them, so asking often
/// would cost more than leaving.
const ASK: Duration = Duration::from_millis(250);
const SETTLED: Duration = Duration::from_secs(5);

pub(super) struct Control {
    publisher: TcpStream,
    asking: TcpStream,
    frame: Vec<u8>,
    message: Vec<u8>,
}

impl Control {
    pub(super) fn connect(port: u16) -> Result<Self> {
        let mut publisher = TcpStream::connect(("127.0.0.1", port))?;
        publisher.set_nodelay(true)?;
        // Nobody reads the replies to PUBLISH: a message costs the client one write, with each peer.
        publisher.write_all(&command(["CLIENT", "REPLY", "OFF"]))?;
        let asking = TcpStream::connect(("127.0.0.1", port))?;
        asking.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Self {
            publisher,
            asking,
            frame: Vec::new(),
            message: Vec::new(),
        })
    }

    pub(super) fn name(index: u64) -> String {
        format!("{NAMES}{index}")
    }

    pub(super) fn publish(&mut self, channel: &str, number: u64) -> Result<()> {
        self.frame.clear();
        self.message.clear();
        payload::write(&mut self.message, number, payload::SMALL);
        Frame::Publish.write(&mut self.frame, channel, &self.message);
        Ok(self.publisher.write_all(&self.frame)?)
    }

    /// Waits until none of the names that come and go is subscribed. Returns how many are left after
    /// five seconds.
    pub(super) async fn settle(&mut self) -> Result<usize> {
        let began = Instant::now();
        loop {
            let left = self.left()?;
            if left == 0 || began.elapsed() > SETTLED {
                return Ok(left);
            }
            tokio::time::sleep(ASK).await;
        }
    }

    fn left(&mut self) -> Result<usize> {
        let names = format!("{NAMES}*");
        self.asking
            .write_all(&command(["PUBSUB", "CHANNELS", &names]))?;
        let mut reply = Vec::new();
        let mut buffer = [0; 16 * 1024];
        loop {
            let count = self.asking.read(&mut buffer)?;
            if count == 0 {
                return Err("the server closed the connection".into());
            }
            reply.extend_from_slice(&buffer[..count]);
            // Two lines for each name.
            if let Some((names, start)) = header(&reply, 0, b'*') {
                let lines = reply[start..].iter().filter(|byte| **byte == b'\n');
                if lines.count() == 2 * names {
                    return Ok(names);
                }
            }
        }
    }
}
