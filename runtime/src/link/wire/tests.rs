//! The tap against redis-rs's own parser, over random streams that are cut at random places.

use std::io::{self, Cursor};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use redis::{Parser, PushInfo, PushKind, Value};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::patience::Patience;
use super::tap::Tap;
use crate::feed::Feed;
use crate::link::convert::incoming;
use crate::raw::RawPush;
use crate::routes::Routes;
use crate::settings::Settings;

/// A stream that comes in pieces.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    random: fastrand::Rng,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.random.bool() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let most = if self.random.bool() { 3 } else { 2_000 };
        let left = self.bytes.len() - self.at;
        let count = self.random.usize(1..=most).min(left).min(out.remaining());
        out.put_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        Poll::Ready(Ok(()))
    }
}

/// What the tap makes of a stream: the pushes for the feed, and the bytes for redis-rs.
fn tapped(bytes: &[u8], random: &mut fastrand::Rng) -> (Vec<RawPush>, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let feed = Arc::new(Feed::new(Routes::default(), &Settings::default()));
        feed.open(1);
        let mut pushes = feed.pushes();
        let stream = Pieces {
            bytes: bytes.to_vec(),
            at: 0,
            random: random.fork(),
        };
        let patience = Patience::new(Duration::ZERO);
        let mut tap = Tap::new(stream, Arc::clone(&feed), 1, patience);
        let mut passed = Vec::new();
        tap.read_to_end(&mut passed).await.unwrap();
        let mut seen = Vec::new();
        while let Ok(push) = pushes.try_recv() {
            seen.push(push);
        }
        assert_eq!(seen.pop(), Some(RawPush::Disconnected));
        (seen, passed)
    })
}

/// What redis-rs makes of a stream, up to the first error.
fn parsed(bytes: &[u8]) -> Vec<Value> {
    let mut reader = Cursor::new(bytes);
    let mut parser = Parser::new();
    std::iter::from_fn(|| parser.parse_value(&mut reader).ok()).collect()
}

fn is_message(kind: &PushKind) -> bool {
    matches!(
        kind,
        PushKind::Message | PushKind::PMessage | PushKind::SMessage | PushKind::Invalidate
    )
}

/// Splits what redis-rs parses into what the feed should get and what redis-rs should.
fn expected(values: Vec<Value>) -> (Vec<RawPush>, Vec<Value>) {
    let mut pushes = Vec::new();
    let mut replies = Vec::new();
    for value in values {
        if let Value::Push { kind, data } = &value {
            let info = PushInfo {
                kind: kind.clone(),
                data: data.clone(),
            };
            let raw = incoming(&info).to_raw();
            let is_whole = !matches!(raw, RawPush::Malformed { .. });
            pushes.push(raw);
            if is_message(kind) && is_whole {
                continue;
            }
        }
        replies.push(value);
    }
    (pushes, replies)
}

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
        let (taken, passed) = tapped(&bytes, &mut random);
        assert_eq!(taken, pushes, "the pushes of seed {seed}");
        assert_eq!(parsed(&passed), replies, "the replies of seed {seed}");
    }
}

/// A stream that is broken somewhere: nothing panics, nothing before the break is lost, and what
/// redis-rs is left with breaks for it as well.
#[test]
fn a_broken_stream_is_left_to_redis_rs_to_refuse() {
    for seed in 0..2_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bytes = stream(&mut random);
        let whole = parsed(&bytes).len();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(0..bytes.len());
            bytes[at] = random.u8(..);
        }
        let (pushes, replies) = expected(parsed(&bytes));
        let (taken, passed) = tapped(&bytes, &mut random);
        assert!(taken.len() <= 3 * whole + 64);
        let left = parsed(&passed);
        let common = left.len().min(replies.len());
        assert_eq!(
            left[..common],
            replies[..common],
            "the replies of seed {seed}"
        );
        let common = taken.len().min(pushes.len());
        assert_eq!(
            taken[..common],
            pushes[..common],
            "the pushes of seed {seed}"
        );
    }
}

#[test]
fn an_attribute_before_a_push_is_passed_over() {
    let mut random = fastrand::Rng::with_seed(0);
    let bytes = b"|1\r\n+ttl\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n+OK\r\n";
    let (taken, passed) = tapped(bytes, &mut random);
    assert_eq!(passed, b"+OK\r\n");
    assert!(matches!(&taken[..], [RawPush::Message { payload, .. }] if payload == "b"));
}

#[test]
fn an_end_within_a_frame_is_passed_on() {
    let mut random = fastrand::Rng::with_seed(0);
    let (taken, passed) = tapped(b"+OK\r\n>3\r\n$7\r\nmess", &mut random);
    assert!(taken.is_empty());
    assert_eq!(passed, b"+OK\r\n>3\r\n$7\r\nmess");
}
