//! The canned source: it answers like a server until everything is subscribed, and then replays
//! encoded messages to each connection, as fast as the sockets accept them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::job::Job;
use crate::publisher::{Pace, stamp};
use crate::resp::{Frame, bulk, take_command};
use crate::{Result, payload, process};

pub(crate) const ROLE: &str = "canned";

/// How many bytes are written at once, and how many are encoded at most before they repeat.
const CHUNK: usize = 64 * 1024;
const CYCLE: usize = 8 * 1024 * 1024;

#[derive(Default)]
struct Clients {
    all: Mutex<Vec<Arc<Client>>>,
    subscribed: Condvar,
}

struct Client {
    /// Whole frames are written under the lock, so that replies come between frames.
    socket: Mutex<TcpStream>,
    resp3: AtomicBool,
    channels: Mutex<Vec<usize>>,
}

pub(crate) fn main(job: &str) -> Result<()> {
    let input = process::input();
    let job = Job::from_arg(job)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    let shared = Arc::new(Clients::default());
    let accepting = Arc::clone(&shared);
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let shared = Arc::clone(&accepting);
            std::thread::spawn(move || serve(&shared, socket));
        }
    });

    let expected = job.peer.subscriptions(&job);
    let mut clients = lock(&shared.all);
    while clients
        .iter()
        .map(|client| lock(&client.channels).len())
        .sum::<usize>()
        < expected
    {
        clients = shared
            .subscribed
            .wait(clients)
            .unwrap_or_else(PoisonError::into_inner);
    }
    let readers: Vec<_> = clients
        .iter()
        .filter(|client| !lock(&client.channels).is_empty())
        .cloned()
        .collect();
    drop(clients);
    input.recv()?;

    if job.rate.is_some() {
        drip(&job, &readers)?;
    } else {
        let count = readers.len();
        for client in readers {
            let job = job.clone();
            std::thread::spawn(move || pour(&job, &client, CYCLE / count));
        }
    }
    // Connections stay open until this process is killed.
    loop {
        std::thread::park();
    }
}

/// Replays the messages of a client's channels.
fn pour(job: &Job, client: &Client, cycle: usize) -> Result<()> {
    let channels = lock(&client.channels).clone();
    let names: Vec<String> = channels
        .iter()
        .map(|channel| job.channel(*channel))
        .collect();
    let frame = client.frame();
    let total = job.messages / job.channels as u64 * channels.len() as u64;
    let rounds = (cycle / (job.payload + 50) / names.len()).max(1) as u64;
    let distinct = total.min(rounds * names.len() as u64);
    let (mut bytes, mut ends, mut message) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..distinct {
        message.clear();
        payload::write(&mut message, number, job.payload);
        frame.write(&mut bytes, &names[number as usize % names.len()], &message);
        ends.push(bytes.len());
    }
    let mut left = total;
    while left > 0 {
        let count = left.min(distinct) as usize;
        left -= count as u64;
        let mut start = 0;
        for (index, &end) in ends[..count].iter().enumerate() {
            if end - start >= CHUNK || index + 1 == count {
                lock(&client.socket).write_all(&bytes[start..end])?;
                start = end;
            }
        }
    }
    Ok(())
}

/// Sends one message at a time, at the job's rate.
fn drip(job: &Job, clients: &[Arc<Client>]) -> Result<()> {
    let mut pace = Pace::new(job);
    let (mut out, mut message) = (Vec::new(), Vec::new());
    for number in 0..job.messages {
        pace.wait();
        message.clear();
        payload::write(&mut message, stamp(job, number), job.payload);
        let channel = number as usize % job.channels;
        for client in clients {
            if lock(&client.channels).contains(&channel) {
                out.clear();
                client
                    .frame()
                    .write(&mut out, &job.channel(channel), &message);
                lock(&client.socket).write_all(&out)?;
            }
        }
    }
    Ok(())
}

/// Answers the commands of one connection.
fn serve(clients: &Clients, mut socket: TcpStream) -> Result<()> {
    socket.set_nodelay(true)?;
    let client = Arc::new(Client {
        socket: Mutex::new(socket.try_clone()?),
        resp3: AtomicBool::new(false),
        channels: Mutex::default(),
    });
    lock(&clients.all).push(Arc::clone(&client));
    let (mut received, mut buffer) = (Vec::new(), vec![0; CHUNK]);
    loop {
        let count = socket.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        received.extend_from_slice(&buffer[..count]);
        let mut out = Vec::new();
        while let Some(args) = take_command(&mut received) {
            client.answer(&args, &mut out);
        }
        lock(&client.socket).write_all(&out)?;
        // Notify only after the confirmations are written, because messages must come after them.
        drop(lock(&clients.all));
        clients.subscribed.notify_all();
    }
}

impl Client {
    fn frame(&self) -> Frame {
        if self.resp3.load(Relaxed) {
            Frame::Push
        } else {
            Frame::Message
        }
    }

    fn answer(&self, args: &[String], out: &mut Vec<u8>) {
        let name = args.first().map(|name| name.to_ascii_uppercase());
        let first = args.get(1).map(String::as_str);
        match name.as_deref().unwrap_or_default() {
            "HELLO" => self.hello(first == Some("3"), out),
            "SUBSCRIBE" => args[1..]
                .iter()
                .for_each(|channel| self.subscribe(channel, out)),
            "PING" if self.frame() == Frame::Message && !lock(&self.channels).is_empty() => {
                out.extend_from_slice(b"*2\r\n");
                bulk(out, b"pong");
                bulk(out, first.unwrap_or_default().as_bytes());
            }
            // A server gives the argument back, by which a client knows that the replies are in step.
            "PING" => match first {
                Some(argument) => bulk(out, argument.as_bytes()),
                None => out.extend_from_slice(b"+PONG\r\n"),
            },
            "UNSUBSCRIBE" => args[1..]
                .iter()
                .for_each(|channel| self.unsubscribe(channel, out)),
            "ECHO" => bulk(out, first.unwrap_or_default().as_bytes()),
            "INFO" => bulk(
                out,
                b"# Server\r\nredis_version:7.4.0\r\nredis_mode:standalone\r\nloading:0\r\n",
            ),
            "CLIENT" if first.is_some_and(|sub| sub.eq_ignore_ascii_case("ID")) => {
                out.extend_from_slice(b":1\r\n");
            }
            // AUTH, SELECT, CLIENT SETNAME and so on.
            _ => out.extend_from_slice(b"+OK\r\n"),
        }
    }

    fn hello(&self, resp3: bool, out: &mut Vec<u8>) {
        self.resp3.store(resp3, Relaxed);
        out.extend_from_slice(if resp3 { b"%7\r\n" } else { b"*14\r\n" });
        for (key, value) in [
            ("server", "redis"),
            ("version", "7.4.0"),
            ("mode", "standalone"),
            ("role", "master"),
        ] {
            bulk(out, key.as_bytes());
            bulk(out, value.as_bytes());
        }
        bulk(out, b"proto");
        out.extend_from_slice(if resp3 { b":3\r\n" } else { b":2\r\n" });
        bulk(out, b"id");
        out.extend_from_slice(b":1\r\n");
        bulk(out, b"modules");
        out.extend_from_slice(b"*0\r\n");
    }

    fn subscribe(&self, channel: &str, out: &mut Vec<u8>) {
        let mut channels = lock(&self.channels);
        channels.extend(index_of(channel));
        self.confirm(b"subscribe", channel, channels.len(), out);
    }

    fn unsubscribe(&self, channel: &str, out: &mut Vec<u8>) {
        let mut channels = lock(&self.channels);
        channels.retain(|one| Some(*one) != index_of(channel));
        self.confirm(b"unsubscribe", channel, channels.len(), out);
    }

    fn confirm(&self, kind: &[u8], channel: &str, left: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.frame() == Frame::Push {
            b">3\r\n"
        } else {
            b"*3\r\n"
        });
        bulk(out, kind);
        bulk(out, channel.as_bytes());
        out.extend_from_slice(format!(":{left}\r\n").as_bytes());
    }
}

fn index_of(channel: &str) -> Option<usize> {
    channel.strip_prefix('c')?.parse().ok()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
