//! The part of the protocol that the sources need.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::Result;

/// The forms in which a message is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame {
    Publish,
    /// To a RESP3 client.
    Push,
    /// To a RESP2 client.
    Message,
}

impl Frame {
    pub(crate) fn write(self, out: &mut Vec<u8>, channel: &str, payload: &[u8]) {
        let head = match self {
            Self::Publish => "*3\r\n$7\r\nPUBLISH\r\n",
            Self::Push => ">3\r\n$7\r\nmessage\r\n",
            Self::Message => "*3\r\n$7\r\nmessage\r\n",
        };
        out.extend_from_slice(head.as_bytes());
        bulk(out, channel.as_bytes());
        bulk(out, payload);
    }
}

pub(crate) fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    write!(out, "${}\r\n", bytes.len()).expect("writing to a Vec does not fail");
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Encodes a command as clients send it.
pub(crate) fn command<'a>(
    args: impl IntoIterator<Item = &'a str, IntoIter: ExactSizeIterator>,
) -> Vec<u8> {
    let args = args.into_iter();
    let mut out = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bulk(&mut out, arg.as_bytes());
    }
    out
}

/// Removes the first complete command from the bytes received so far, and returns it.
pub(crate) fn take_command(received: &mut Vec<u8>) -> Option<Vec<String>> {
    let (count, mut at) = header(received, 0, b'*')?;
    let mut args = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, start) = header(received, at, b'$')?;
        at = start + length + 2;
        let arg = received.get(start..at)?;
        args.push(String::from_utf8_lossy(&arg[..length]).into_owned());
    }
    received.drain(..at);
    Some(args)
}

/// Reads a line such as `*3`. Returns its number and where the next line begins.
pub(crate) fn header(bytes: &[u8], at: usize, mark: u8) -> Option<(usize, usize)> {
    let line = bytes.get(at..)?;
    let end = line.iter().position(|byte| *byte == b'\r')?;
    if line.len() < end + 2 || line[0] != mark {
        return None;
    }
    let mut number = 0_usize;
    for byte in &line[1..end] {
        number = number * 10 + usize::from(byte.wrapping_sub(b'0'));
    }
    Some((number, at + end + 2))
}

/// Asks how many clients are subscribed, summed over the channels.
pub(crate) fn subscribers(connection: &mut TcpStream, channels: &[String]) -> Result<usize> {
    let args = ["PUBSUB", "NUMSUB"].into_iter();
    let args: Vec<&str> = args.chain(channels.iter().map(String::as_str)).collect();
    connection.write_all(&command(args))?;
    let mut reply = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = connection.read(&mut buffer)?;
        if count == 0 {
            return Err("the server closed the connection".into());
        }
        reply.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&reply);
        let numbers: Vec<&str> = text
            .split("\r\n")
            .filter_map(|line| line.strip_prefix(':'))
            .collect();
        if numbers.len() == channels.len() && text.ends_with("\r\n") {
            return Ok(numbers
                .iter()
                .filter_map(|number| number.parse::<usize>().ok())
                .sum());
        }
    }
}
