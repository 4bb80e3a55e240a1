//! The tap and redis-rs's own parser read the same random streams, cut at random places.

use std::collections::VecDeque;
use std::io::Cursor;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::backpressure::Backpressure;
use super::differential::{Tapped, compare, expected, parsed, tapped};
use super::scan::{Scanned, scan};
use super::tap::Tap;
use crate::broadcast::{Budget, Shared};
use crate::config::Settings;
use crate::dispatch::{Dispatcher, RoutingTable};
use crate::push::{NodeId, RawPush};
use crate::subscription::Subscription;

fn text(random: &mut fastrand::Rng) -> Vec<u8> {
    let length = match random.u32(0..20) {
        0 => random.usize(0..200_000),
        1..=5 => 0,
        _ => random.usize(0..40),
    };
    (0..length)
        .map(|_| *random.choice(b"ab\r\n$>*:\xff\0").unwrap())
        .collect()
}

fn bulk(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(format!("${}\r\n", text.len()).as_bytes());
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

fn push(out: &mut Vec<u8>, random: &mut fastrand::Rng) {
    const KINDS: [(&str, usize); 13] = [
        ("message", 2),
        ("message", 2),
        ("pmessage", 3),
        ("smessage", 2),
        ("subscribe", 1),
        ("psubscribe", 1),
        ("unsubscribe", 1),
        ("sunsubscribe", 1),
        ("invalidate", 0),
        ("invalidate", 0),
        ("tidings", 2),
        ("message", 1),
        ("pmessage", 4),
    ];
    let (kind, texts) = random.choice(KINDS).unwrap();
    let is_subscription = kind.ends_with("subscribe");
    let is_invalidation = kind == "invalidate";
    let count = 1 + texts + usize::from(is_subscription) + usize::from(is_invalidation);
    out.extend_from_slice(format!(">{count}\r\n").as_bytes());
    bulk(out, kind.as_bytes());
    for _ in 0..texts {
        bulk(out, &text(random));
    }
    if is_subscription {
        out.extend_from_slice(b":1\r\n");
    }
    if is_invalidation {
        if random.bool() {
            return out.extend_from_slice(b"_\r\n");
        }
        let keys = random.usize(0..4);
        out.extend_from_slice(format!("*{keys}\r\n").as_bytes());
        for _ in 0..keys {
            bulk(out, &text(random));
        }
    }
}

fn reply(out: &mut Vec<u8>, random: &mut fastrand::Rng, depth: usize) {
    let deepest = if depth > 3 { 8 } else { 11 };
    match random.u32(0..deepest) {
        0 => out.extend_from_slice(b"+OK\r\n"),
        1 => out.extend_from_slice(b"-ERR no such thing\r\n"),
        2 => out.extend_from_slice(b":-42\r\n"),
        3 => out.extend_from_slice(b"_\r\n"),
        4 => out.extend_from_slice(b"#t\r\n"),
        5 => out.extend_from_slice(b",1.5\r\n"),
        6 => out.extend_from_slice(b"$-1\r\n"),
        7 => bulk(out, &text(random)),
        kind => {
            let count = random.usize(0..4);
            let (sign, frames) = match kind {
                8 => ('*', count),
                9 => ('%', 2 * count),
                _ => ('~', count),
            };
            out.extend_from_slice(format!("{sign}{count}\r\n").as_bytes());
            for _ in 0..frames {
                reply(out, random, depth + 1);
            }
        }
    }
}

fn stream(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.usize(1..20) {
        match random.u32(0..4) {
            0 => reply(&mut bytes, random, 0),
            _ => push(&mut bytes, random),
        }
    }
    bytes
}

#[test]
fn takes_the_same_pushes_and_leaves_the_same_replies_as_redis_rs() {
    for seed in 0..2_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let bytes = stream(&mut random);
        let (pushes, replies) = expected(parsed(&bytes));
        let tapped = tapped(&bytes, &mut random);
        assert_eq!(tapped.pushes, pushes, "the pushes of seed {seed}");
        let left = parsed(&tapped.passed);
        assert_eq!(left, replies, "the replies of seed {seed}");
    }
}

/// A stream that is broken somewhere: nothing panics, nothing before the break is lost, and redis-rs
/// finds the rest broken too.
#[test]
fn a_broken_stream_is_left_to_redis_rs_to_refuse() {
    for seed in 0..2_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bytes = stream(&mut random);
        for _ in 0..random.usize(1..4) {
            let at = random.usize(0..bytes.len());
            bytes[at] = random.u8(..);
        }
        println!("seed {seed}");
        compare(&bytes, &mut random);
    }
}

/// The frame is not scanned again before the missing bytes have arrived: if the number were one too
/// many, a complete frame would stay in the buffer.
#[test]
fn a_part_of_a_frame_never_asks_for_more_than_is_missing() {
    for seed in 0..2_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut frame = Vec::new();
        if random.bool() {
            push(&mut frame, &mut random);
        } else {
            reply(&mut frame, &mut random, 0);
        }
        for _ in 0..20 {
            let length = random.usize(0..frame.len());
            let missing = frame.len() - length;
            match scan(&frame[..length]) {
                Scanned::Incomplete(reported) => {
                    assert!(
                        (1..=missing).contains(&reported),
                        "{reported} of {missing}, seed {seed}"
                    );
                }
                other => panic!("{other:?} in {length} bytes of seed {seed}"),
            }
        }
    }
}

/// A server sends one push with all the keys that changed at once, and TLS or a proxy delivers it in
/// small pieces.
#[test]
fn a_push_of_many_keys_in_small_pieces_is_not_scanned_at_each_of_them() {
    const PIECE: usize = 1_448;
    let mut frame = b">2\r\n$10\r\ninvalidate\r\n*200000\r\n".to_vec();
    for key in 0..200_000 {
        bulk(&mut frame, format!("user:{key}").as_bytes());
    }
    let (mut length, mut scans) = (0, 0);
    while let Scanned::Incomplete(missing) = scan(&frame[..length]) {
        length = frame.len().min((length + missing).next_multiple_of(PIECE));
        scans += 1;
    }
    assert_eq!(length, frame.len());
    let pieces = frame.len().div_ceil(PIECE);
    assert!(scans < 100, "{scans} scans of {pieces} pieces");
}

#[test]
fn an_attribute_before_a_push_is_passed_over() {
    let mut random = fastrand::Rng::with_seed(0);
    let bytes = b"|1\r\n+ttl\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n+OK\r\n";
    let Tapped { pushes, passed, .. } = tapped(bytes, &mut random);
    assert_eq!(passed, b"+OK\r\n");
    assert!(matches!(&pushes[..], [RawPush::Message { payload, .. }] if payload == "b"));
}

#[test]
fn an_end_within_a_frame_is_passed_on() {
    let mut random = fastrand::Rng::with_seed(0);
    let tapped = tapped(b"+OK\r\n>3\r\n$7\r\nmess", &mut random);
    assert!(tapped.pushes.is_empty());
    assert_eq!(tapped.passed, b"+OK\r\n>3\r\n$7\r\nmess");
}

/// `invalidate` with a null array means every key. If it were read as an empty array, a cache would
/// stay stale.
#[test]
fn an_invalidation_with_a_null_array_is_of_every_key() {
    let mut random = fastrand::Rng::with_seed(0);
    let bytes = b">2\r\n$10\r\ninvalidate\r\n*-1\r\n";
    let tapped = tapped(bytes, &mut random);
    assert_eq!(tapped.pushes, [RawPush::Invalidated(None)]);
}

#[test]
fn an_empty_push_is_reported_as_unknown() {
    for bytes in [b">0\r\n+OK\r\n".as_slice(), b">-1\r\n+OK\r\n"] {
        let mut random = fastrand::Rng::with_seed(0);
        compare(bytes, &mut random);
        let kind = String::new();
        let pushes = tapped(bytes, &mut random).pushes;
        assert_eq!(pushes, [RawPush::Unknown { kind }]);
    }
}

/// redis-rs accepts any number that Rust parses, such as `+3`. If it read on where the tap does not,
/// the messages after that would be lost while the connection looks alive.
#[test]
fn a_stream_that_the_tap_cannot_read_ends_the_connection() {
    let mut random = fastrand::Rng::with_seed(0);
    let unreadable = b">+3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n";
    let bytes = [&unreadable[..], &b"+OK\r\n".repeat(10_000)].concat();
    let tapped = tapped(&bytes, &mut random);
    assert!(tapped.is_unreadable);
    assert!(tapped.passed.starts_with(b">+"));
    assert!(
        tapped.passed.len() < bytes.len(),
        "the stream was read further"
    );
}

#[tokio::test]
async fn a_connection_that_ends_during_a_wait_does_not_wait_any_more() {
    let shared = Arc::new(Shared::new(
        1,
        Budget {
            messages: 1,
            bytes: 1_000,
            ..Budget::default()
        },
    ));
    let _receiver = shared.subscribe();
    let mut routes = RoutingTable::default();
    routes.add(&shared, &[Subscription::channel("a")]);
    let dispatcher = Arc::new(Dispatcher::new(routes, &Settings::default()));
    dispatcher.open(1.into());
    let mut bytes = b">3\r\n+subscribe\r\n$1\r\na\r\n:1\r\n".to_vec();
    for _ in 0..2 {
        bytes.extend(b">3\r\n+message\r\n$1\r\na\r\n$1\r\nx\r\n");
    }
    let backpressure = Backpressure::new(NodeId::FIRST, Duration::from_secs(1));
    let stream = Cursor::new(bytes);
    let mut tap = Tap::new(stream, Arc::clone(&dispatcher), 1.into(), backpressure);
    let mut out = Vec::new();
    // redis-rs gets the confirmation too. The second message has no room.
    tap.read_buf(&mut out).await.unwrap();
    assert!(dispatcher.is_waiting(NodeId::FIRST));
    drop(tap);
    assert!(!dispatcher.is_waiting(NodeId::FIRST));
}

/// A stream in pieces. At each read, another thread locks the dispatcher.
struct Locking {
    pieces: VecDeque<Vec<u8>>,
    dispatcher: Arc<Dispatcher>,
    /// How long a read waits for that.
    patience: Duration,
    /// How many reads were made while the dispatcher was locked.
    locked: Arc<AtomicUsize>,
}

impl AsyncRead for Locking {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let (is_free, free) = std::sync::mpsc::channel();
        let dispatcher = Arc::clone(&self.dispatcher);
        std::thread::spawn(move || {
            dispatcher.is_waiting(NodeId::FIRST);
            let _ = is_free.send(());
        });
        if free.recv_timeout(self.patience).is_err() {
            self.locked.fetch_add(1, SeqCst);
        }
        if let Some(piece) = self.pieces.pop_front() {
            out.put_slice(&piece);
        }
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn several_reads_are_one_intake_unless_reading_takes_long() {
    for is_slow in [false, true] {
        let shared = Arc::new(Shared::new(1, Budget::default()));
        let mut receiver = shared.subscribe();
        let mut routes = RoutingTable::default();
        routes.add(&shared, &[Subscription::channel("a")]);
        let dispatcher = Arc::new(Dispatcher::new(routes, &Settings::default()));
        dispatcher.open(1.into());
        let mut large = b">3\r\n+message\r\n$1\r\na\r\n$50000\r\n".to_vec();
        large.resize(large.len() + 50_000, b'x');
        large.extend(b"\r\n");
        let pieces = [
            b">3\r\n+subscribe\r\n$1\r\na\r\n:1\r\n".as_slice(),
            b">3\r\n+message\r\n$1\r\na\r\n$1\r\nx\r\n",
            &large[..20_000],
            &large[20_000..30_000],
            &large[30_000..],
        ];
        let locked = Arc::new(AtomicUsize::new(0));
        let patience = match is_slow {
            true => Duration::from_secs(10),
            false => Duration::from_millis(50),
        };
        let stream = Locking {
            pieces: pieces.map(Vec::from).into(),
            dispatcher: Arc::clone(&dispatcher),
            patience,
            locked: Arc::clone(&locked),
        };
        let backpressure = Backpressure::new(NodeId::FIRST, Duration::ZERO);
        let mut tap = Tap::new(stream, Arc::clone(&dispatcher), 1.into(), backpressure);
        if is_slow {
            tap = tap.reading_unlocked();
        }
        tap.read_to_end(&mut Vec::new()).await.unwrap();
        dispatcher.close();
        let mut lengths = Vec::new();
        while receiver.recv().await.is_some() {
            let batch = receiver.batch();
            lengths.extend(
                batch
                    .iter()
                    .flat_map(|batch| (0..batch.len()).map(|index| batch.payload(index).len())),
            );
        }
        assert_eq!(lengths, [1, 50_000]);
        assert_eq!(locked.load(SeqCst) > 0, !is_slow);
    }
}
