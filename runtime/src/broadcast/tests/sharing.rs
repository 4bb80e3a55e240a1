//! Values that readers decode once and share.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::{since, take};
use crate::broadcast::Shared;
use crate::broadcast::budget::{Budget, Overflow};
use crate::broadcast::receiver::Receiver;
use crate::error::Rejection;
use crate::gap::GapCause;
use crate::push::{Batch, Push};
use crate::subscription::Subscription;

fn channel_with(budget: Budget, readers: usize) -> (Arc<Shared>, Vec<Receiver>) {
    let shared = Arc::new(Shared::new(1, budget));
    let readers = (0..readers).map(|_| shared.subscribe()).collect();
    shared.confirm(0, 1.into(), since(GapCause::Initial), &mut Vec::new());
    (shared, readers)
}

fn append(shared: &Shared, payload: &str) {
    shared.append(0, b"", payload.as_bytes(), &mut Vec::new());
}

/// The payload, and how often one was decoded.
fn decode(
    batch: &Arc<Batch>,
    index: usize,
    by: &Subscription,
    decodings: &Cell<u32>,
) -> Result<Arc<String>, Rejection> {
    let list = [by.clone()];
    Push::new(batch, index, &list).decode_once(|push| {
        decodings.set(decodings.get() + 1);
        match str::from_utf8(push.payload()).unwrap() {
            "panic" => panic!("asked to panic"),
            "reject" => Err(Rejection::caused_by("it is rejected", "for a reason")),
            text => Ok(text.to_owned()),
        }
    })
}

#[test]
fn a_message_is_decoded_by_the_first_reader_and_shared_by_the_others() {
    let (shared, mut readers) = channel_with(Budget::default(), 3);
    append(&shared, "one");
    append(&shared, "two");
    let by = Subscription::channel("a");
    let decodings = Cell::new(0);
    let mut values: Vec<Arc<String>> = Vec::new();
    for reader in &mut readers {
        let batch = take(reader).expect("a batch");
        for (index, text) in ["one", "two"].into_iter().enumerate() {
            let value = decode(&batch, index, &by, &decodings).unwrap();
            assert_eq!(*value, text);
            values.push(value);
        }
    }
    assert_eq!(decodings.get(), 2);
    assert!(Arc::ptr_eq(&values[0], &values[2]) && Arc::ptr_eq(&values[1], &values[5]));
}

#[test]
fn a_rejection_is_remembered_and_a_panic_is_not() {
    let (shared, mut readers) = channel_with(Budget::default(), 2);
    append(&shared, "reject");
    append(&shared, "panic");
    let by = Subscription::channel("a");
    let decodings = Cell::new(0);
    for reader in &mut readers {
        let batch = take(reader).expect("a batch");
        let rejection = decode(&batch, 0, &by, &decodings).unwrap_err();
        assert_eq!(rejection.to_string(), "it is rejected");
        let source = std::error::Error::source(&rejection).expect("a source");
        assert_eq!(source.to_string(), "for a reason");
        let panics = || decode(&batch, 1, &by, &decodings);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).unwrap_err();
    }
    assert_eq!(decodings.get(), 1 + 2);
}

#[test]
fn readers_by_another_template_or_prefix_or_of_another_type_have_values_of_their_own() {
    let (shared, mut readers) = channel_with(Budget::default(), 2);
    append(&shared, "text");
    let batch = take(&mut readers[0]).expect("a batch");
    let decodings = Cell::new(0);
    let plain = Subscription::channel("a.b");
    let prefixed = Subscription::channel("b").prefixed("a.");
    let templates = ["a.{x}", "a.{y}"].map(|text| Subscription::template(text).unwrap());
    for _ in 0..2 {
        decode(&batch, 0, &plain, &decodings).unwrap();
        decode(&batch, 0, &prefixed, &decodings).unwrap();
        // Each handler has a template of its own, though it be the same.
        decode(&batch, 0, &templates[0].clone(), &decodings).unwrap();
        for template in &templates {
            decode(&batch, 0, template, &decodings).unwrap();
        }
        let list = [plain.clone()];
        let length = Push::new(&batch, 0, &list).decode_once(|push| Ok(push.payload().len()));
        assert_eq!(*length.unwrap(), 4);
    }
    assert_eq!(decodings.get(), 4);
}

#[test]
fn a_message_of_one_reader_is_not_stored() {
    let (shared, mut readers) = channel_with(Budget::default(), 1);
    append(&shared, "text");
    let batch = take(&mut readers[0]).expect("a batch");
    let decodings = Cell::new(0);
    let by = Subscription::channel("a");
    for _ in 0..2 {
        let value = decode(&batch, 0, &by, &decodings).unwrap();
        assert_eq!(Arc::strong_count(&value), 1);
    }
    assert_eq!(decodings.get(), 2);
}

/// A value whose destructor counts, and asserts that the channel is not locked.
struct Value {
    shared: Arc<Shared>,
    dropped: Arc<AtomicUsize>,
}

impl Drop for Value {
    fn drop(&mut self) {
        let (sender, is_unlocked) = channel();
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            shared.is_idle();
            sender.send(()).unwrap();
        });
        let unlocked = is_unlocked.recv_timeout(Duration::from_secs(10));
        self.dropped.fetch_add(1, SeqCst);
        unlocked.expect("the channel is not locked");
        panic!("a destructor that panics");
    }
}

fn keep(batch: &Arc<Batch>, index: usize, shared: &Arc<Shared>, dropped: &Arc<AtomicUsize>) {
    let list = [Subscription::channel("a")];
    let (shared, dropped) = (Arc::clone(shared), Arc::clone(dropped));
    let value = Push::new(batch, index, &list).decode_once(|_| Ok(Value { shared, dropped }));
    assert_eq!(Arc::strong_count(&value.unwrap()), 2, "it is stored");
}

#[test]
fn a_value_is_dropped_without_a_lock_when_the_last_reader_has_passed() {
    let (shared, mut readers) = channel_with(Budget::default(), 2);
    let dropped = Arc::default();
    append(&shared, "text");
    for reader in &mut readers {
        let batch = take(reader).expect("a batch");
        keep(&batch, 0, &shared, &dropped);
    }
    assert!(take(&mut readers[0]).is_none());
    assert_eq!(dropped.load(SeqCst), 0, "the other reader is there yet");
    assert!(take(&mut readers[1]).is_none());
    assert_eq!(dropped.load(SeqCst), 1);

    // Or has gone.
    append(&shared, "text");
    let mut other = readers.pop().unwrap();
    let batch = take(&mut readers[0]).expect("a batch");
    keep(&batch, 0, &shared, &dropped);
    drop(batch);
    take(&mut other).expect("a batch");
    assert!(take(&mut readers[0]).is_none());
    drop(other);
    assert_eq!(dropped.load(SeqCst), 2);
}

#[test]
fn values_of_dropped_messages_are_dropped_without_a_lock() {
    let budget = Budget {
        messages: 16,
        overflow: Overflow::DropOldest,
        ..Budget::default()
    };
    let (shared, mut readers) = channel_with(budget, 2);
    let dropped = Arc::default();
    for _ in 0..100 {
        append(&shared, "text");
        let batch = take(&mut readers[0]).expect("a batch");
        keep(&batch, 0, &shared, &dropped);
    }
    assert!(take(&mut readers[0]).is_none());
    assert_eq!(dropped.load(SeqCst), 100 - 16);
    shared.empty();
    assert_eq!(dropped.load(SeqCst), 100 - 16, "the channel is locked");
    drop(readers);
    assert_eq!(dropped.load(SeqCst), 100);
}

#[test]
fn a_shared_value_that_keeps_the_payload_does_not_keep_its_batch() {
    let (shared, mut readers) = channel_with(Budget::default(), 2);
    let payload = "x".repeat(100_000);
    append(&shared, &payload);
    let list = [Subscription::channel("a")];
    let mut released = None;
    for reader in &mut readers {
        let batch = take(reader).expect("a batch");
        let push = Push::new(&batch, 0, &list);
        let bytes = push.decode_once(|push| Ok(push.payload_bytes())).unwrap();
        assert_eq!(*bytes, payload);
        released = Some(Arc::downgrade(&batch));
    }
    // The readers ask for the next one.
    append(&shared, "next");
    for reader in &mut readers {
        take(reader).expect("a batch");
    }
    drop(readers);
    drop(shared);
    assert_eq!(released.unwrap().strong_count(), 0);
}
