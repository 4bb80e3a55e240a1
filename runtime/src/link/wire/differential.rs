//! Compares the tap with redis-rs's own parser: both read the same bytes.

use std::io::{self, Cursor};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use redis::{Parser, PushInfo, PushKind, Value};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::runtime::Runtime;

use super::backpressure::Backpressure;
use super::tap::Tap;
use crate::config::Settings;
use crate::dispatch::{Dispatcher, RoutingTable};
use crate::link::push_info::incoming;
use crate::push::{NodeId, RawPush};

/// A stream that arrives in pieces of random lengths.
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
        let max = if self.random.bool() { 3 } else { 2_000 };
        let left = self.bytes.len() - self.at;
        let count = self.random.usize(1..=max).min(left).min(out.remaining());
        out.put_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        Poll::Ready(Ok(()))
    }
}

thread_local! {
    static RUNTIME: Runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without I/O can be built");
}

/// What the tap has read from a stream.
pub(crate) struct Tapped {
    /// The pushes for the dispatcher.
    pub(crate) pushes: Vec<RawPush>,
    /// The bytes for redis-rs.
    pub(crate) passed: Vec<u8>,
    /// Whether the tap ended the stream because of invalid RESP3.
    pub(crate) is_unreadable: bool,
}

/// Reads a stream through the tap, in random pieces, to its end.
pub(crate) fn tapped(bytes: &[u8], random: &mut fastrand::Rng) -> Tapped {
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let dispatcher = Arc::new(Dispatcher::new(
                RoutingTable::default(),
                &Settings::default(),
            ));
            dispatcher.open(1.into());
            let mut pushes = dispatcher.pushes();
            let stream = Pieces {
                bytes: bytes.to_vec(),
                at: 0,
                random: random.fork(),
            };
            let backpressure = Backpressure::new(NodeId::FIRST, Duration::ZERO);
            let mut tap = Tap::new(stream, Arc::clone(&dispatcher), 1.into(), backpressure);
            let mut passed = Vec::new();
            let read = tap.read_to_end(&mut passed).await;
            read.expect("the stream returns no errors");
            let mut seen = Vec::new();
            while let Ok(Some(push)) = pushes.try_recv() {
                seen.push(push);
            }
            assert_eq!(seen.pop(), Some(RawPush::Disconnected));
            Tapped {
                pushes: seen,
                passed,
                is_unreadable: tap.is_unreadable(),
            }
        })
    })
}

/// Parses a stream with redis-rs, up to the first error.
pub(crate) fn parsed(bytes: &[u8]) -> Vec<Value> {
    let mut reader = Cursor::new(bytes);
    let mut parser = Parser::new();
    std::iter::from_fn(|| parser.parse_value(&mut reader).ok()).collect()
}

/// Splits the values that redis-rs parses into those for the dispatcher and those for redis-rs.
pub(crate) fn expected(values: Vec<Value>) -> (Vec<RawPush>, Vec<Value>) {
    let mut pushes = Vec::new();
    let mut replies = Vec::new();
    for value in values {
        if let Value::Push { kind, data } = without_attributes(&value) {
            let info = PushInfo {
                kind: kind.clone(),
                data: data.clone(),
            };
            let raw = incoming(&info).to_raw();
            let is_well_formed = !matches!(raw, RawPush::Malformed { .. });
            pushes.push(raw);
            if is_lifted(kind) && is_well_formed {
                continue;
            }
        }
        replies.push(value);
    }
    (pushes, replies)
}

fn without_attributes(mut value: &Value) -> &Value {
    while let Value::Attribute { data, .. } = value {
        value = data;
    }
    value
}

fn is_lifted(kind: &PushKind) -> bool {
    matches!(
        kind,
        PushKind::Message | PushKind::PMessage | PushKind::SMessage | PushKind::Invalidate
    )
}

/// Checks that the tap and redis-rs agree on any bytes.
///
/// As far as redis-rs can read the stream, both see the same pushes and the same replies, unless the
/// tap finds the stream unreadable: then the connection ends, and no loss is silent. After the first
/// bytes that redis-rs cannot read, the tap may see more.
///
/// # Panics
///
/// Panics if they do not agree.
pub(crate) fn compare(bytes: &[u8], random: &mut fastrand::Rng) {
    let (pushes, replies) = expected(parsed(bytes));
    let tapped = tapped(bytes, random);
    let mut left = parsed(&tapped.passed);
    if tapped.is_unreadable {
        // redis-rs gets the unreadable frame, and may be able to read it.
        (_, left) = expected(left);
    } else {
        assert!(tapped.pushes.len() >= pushes.len(), "pushes were missed");
        assert!(left.len() >= replies.len(), "replies were missed");
    }
    let common = tapped.pushes.len().min(pushes.len());
    assert_eq!(tapped.pushes[..common], pushes[..common], "the pushes");
    let common = left.len().min(replies.len());
    assert_eq!(left[..common], replies[..common], "the replies");
}
