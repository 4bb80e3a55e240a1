//! What a stream weighs.

use std::alloc::System;

use redis_push::__bench::Streams;
use redis_push::{Bytes, EventStream};
use stats_alloc::Region;

use crate::{ALLOCATOR, held};

const STREAMS: usize = 10_000;

/// Begins streams, and reads their first gap. Returns them, and how many bytes each takes, without the
/// list of them.
fn weigh(streams: &Streams, names: impl Fn(usize) -> String) -> (Vec<EventStream<Bytes>>, usize) {
    let mut begun = Vec::with_capacity(STREAMS);
    let region = Region::new(ALLOCATOR);
    for number in 0..STREAMS {
        begun.push(streams.subscribe(names(number)));
    }
    streams.confirm();
    for stream in &mut begun {
        assert_eq!(Streams::read(stream), 1, "the initial gap");
    }
    let weight = weight_of_each(&region);
    (begun, weight)
}

/// Returns how many bytes each stream takes that was begun since.
fn weight_of_each(region: &Region<'_, System>) -> usize {
    let own = size_of::<EventStream<Bytes>>();
    let heap = held(region) / STREAMS;
    println!("a stream takes {own} bytes, and {heap} on the heap");
    own + heap
}

fn name(number: usize) -> String {
    let name = format!("notifications.{number:06}");
    assert_eq!(name.len(), 20);
    name
}

pub(crate) fn a_stream_weighs_less_than_a_kibibyte_and_beside_another_of_its_name_300_bytes() {
    let streams = Streams::new();
    let region = Region::new(ALLOCATOR);
    let list = STREAMS * size_of::<EventStream<Bytes>>();
    let (mut distinct, weight) = weigh(&streams, name);
    assert!(weight < 1024, "{weight} bytes with a name of its own");
    for (number, stream) in distinct.iter_mut().enumerate() {
        streams.publish(&name(number), &[b'x'; 100]);
        assert_eq!(Streams::read(stream), 1);
    }
    let weight = (held(&region) - list) / STREAMS + size_of::<EventStream<Bytes>>();
    assert!(weight < 1024, "{weight} bytes after a message");
    let (beside, weight) = weigh(&streams, name);
    assert!(weight < 300, "{weight} bytes beside another of its name");
    let (crowd, weight) = weigh(&streams, |_| "everybody".to_owned());
    assert!(weight < 300, "{weight} bytes among many of its name");
    drop((distinct, beside, crowd));
}

pub(crate) fn streams_that_have_ended_leave_nothing() {
    let streams = Streams::new();
    let mut stays = streams.subscribe("stays".to_owned());
    let region = Region::new(ALLOCATOR);
    for (letter, names) in [('a', STREAMS), ('b', 1_000), ('c', 1), ('d', STREAMS)] {
        let (mut begun, _) = weigh(&streams, |number| format!("{letter}.{:06}", number % names));
        streams.publish(&format!("{letter}.000000"), b"hello");
        for stream in &mut begun {
            Streams::read(stream);
        }
        drop(begun);
        streams.leave();
        let left = held(&region);
        println!("{left} bytes are left of {STREAMS} streams of {names} names");
        assert!(left < 64 * 1024, "{left} bytes are left");
    }
    streams.publish("stays", b"hello");
    assert_eq!(Streams::read(&mut stays), 2, "a gap and a message");
}

pub(crate) fn a_message_is_held_once_for_all_streams_of_its_name() {
    let streams = Streams::new();
    let (mut begun, _) = weigh(&streams, |_| "everybody".to_owned());
    let region = Region::new(ALLOCATOR);
    for _ in 0..10 {
        streams.publish("everybody", &[0; 100_000]);
    }
    let held = held(&region);
    assert!(held < 1_500_000, "{held} bytes for a megabyte");
    for stream in &mut begun {
        assert_eq!(Streams::read(stream), 10);
    }
    assert!(crate::held(&region) < 400_000, "released by the last");
}
