//! A cache and a plain model of the server, in random orders of changes, deliveries, loads, losses,
//! and callers who give up.

use std::collections::VecDeque;
use std::sync::Arc;

use super::calls::*;
use super::feed::Feed;
use crate::error::Result;

const KEYS: usize = 4;

struct World {
    rng: fastrand::Rng,
    feed: Feed,
    cache: Users,
    loads: Loads,
    is_connected: bool,
    is_tracked: bool,
    /// The values of the server. They only grow.
    values: [u64; KEYS],
    /// The keys that have changed, in order, of which the reports are on the way.
    on_the_way: VecDeque<usize>,
    /// The oldest value that a call may still return, while the changes are tracked.
    reported: [u64; KEYS],
    /// The values of the changes whose reports are on the way.
    changes: VecDeque<u64>,
    /// Loads that have read their value, and whose reply is on the way.
    read: Vec<(Load, u64)>,
    calls: Vec<Asked>,
}

/// A call, with the oldest values that it may return.
struct Asked {
    call: Call<Result<Vec<Option<Arc<String>>>>>,
    keys: Vec<usize>,
    oldest: Vec<u64>,
}

impl World {
    fn new(seed: u64) -> Self {
        let feed = Feed::new();
        let (cache, loads) = feed.cache();
        Self {
            rng: fastrand::Rng::with_seed(seed),
            feed,
            cache,
            loads,
            is_connected: false,
            is_tracked: false,
            values: [0; KEYS],
            on_the_way: VecDeque::new(),
            reported: [0; KEYS],
            changes: VecDeque::new(),
            read: Vec::new(),
            calls: Vec::new(),
        }
    }

    fn step(&mut self) {
        match self.rng.u8(..100) {
            0..20 => self.change(),
            20..40 => self.deliver(),
            40..65 => self.ask(),
            65..80 => self.read(),
            80..93 => self.reply(),
            93..95 => self.give_up(),
            95..97 => self.lose(),
            _ => self.recover(),
        }
        self.poll();
        self.peek();
    }

    fn change(&mut self) {
        let key = self.rng.usize(..KEYS);
        self.values[key] += 1;
        if self.is_tracked {
            self.on_the_way.push_back(key);
            self.changes.push_back(self.values[key]);
        }
    }

    fn deliver(&mut self) {
        if let (Some(key), Some(value)) = (self.on_the_way.pop_front(), self.changes.pop_front()) {
            self.feed.change(key as u64);
            self.reported[key] = value;
        }
    }

    /// Returns the oldest value that a call which begins now may return.
    fn oldest(&self, key: usize) -> u64 {
        // Without reports it has to load, and so it returns what the server has from now on.
        if self.is_tracked {
            self.reported[key]
        } else {
            self.values[key]
        }
    }

    fn ask(&mut self) {
        let keys: Vec<_> = (0..self.rng.usize(1..4))
            .map(|_| self.rng.usize(..KEYS))
            .collect();
        let oldest = keys.iter().map(|key| self.oldest(*key)).collect();
        let (cache, asked) = (self.cache.clone(), keys.clone());
        let call = Call(Box::pin(async move {
            let ids: Vec<_> = asked.iter().map(|key| *key as u64).collect();
            match &ids[..] {
                [id] => Ok(vec![cache.get(id).await?]),
                ids => cache.get_many(ids).await,
            }
        }));
        self.calls.push(Asked { call, keys, oldest });
    }

    fn read(&mut self) {
        let mut loads = self.loads.0.lock();
        if !loads.is_empty() {
            let at = self.rng.usize(..loads.len());
            let load = loads.swap_remove(at);
            let value = self.values[usize::try_from(load.id).unwrap()];
            self.read.push((load, value));
        }
    }

    fn reply(&mut self) {
        if !self.read.is_empty() {
            let (load, value) = self.read.swap_remove(self.rng.usize(..self.read.len()));
            match value {
                0 => load.absent(),
                value => load.answer(&value.to_string()),
            }
        }
    }

    fn give_up(&mut self) {
        if !self.calls.is_empty() {
            drop(self.calls.swap_remove(self.rng.usize(..self.calls.len())));
        }
    }

    fn lose(&mut self) {
        if !self.is_connected {
            return;
        }
        if self.rng.bool() && self.is_tracked {
            self.feed.untrack();
        } else {
            self.feed.lose();
            self.is_connected = false;
        }
        self.is_tracked = false;
        self.on_the_way.clear();
        self.changes.clear();
    }

    fn recover(&mut self) {
        if self.is_tracked {
            return;
        }
        if self.is_connected {
            self.feed.track();
        } else {
            self.feed.connect();
            self.is_connected = true;
        }
        self.is_tracked = true;
        self.reported = self.values;
    }

    fn poll(&mut self) {
        self.rng.shuffle(&mut self.calls);
        self.calls.retain_mut(|asked| {
            let Some(values) = asked.call.poll() else {
                return true;
            };
            let values = values.unwrap();
            for ((key, oldest), value) in asked.keys.iter().zip(&asked.oldest).zip(values) {
                let value = value.map_or(0, |value| value.parse().unwrap());
                assert!(value >= *oldest, "key {key}: {value}, not {oldest}");
                assert!(value <= self.values[*key]);
            }
            false
        });
    }

    /// Looks at what the cache would serve now.
    fn peek(&self) {
        for key in 0..KEYS {
            let Some(value) = self.cache.peek(&(key as u64)) else {
                continue;
            };
            assert!(self.is_tracked);
            let value: u64 = value.map_or(0, |value| value.parse().unwrap());
            assert!(value >= self.reported[key]);
        }
    }

    /// Ends everything that is under way. Then the cache and the server must agree.
    fn settle(&mut self) {
        self.recover();
        while !self.on_the_way.is_empty() {
            self.deliver();
        }
        while !self.calls.is_empty() || !self.read.is_empty() || self.loads.count() > 0 {
            self.read();
            self.reply();
            self.poll();
        }
        for key in 0..KEYS {
            if let Some(value) = self.cache.peek(&(key as u64)) {
                let value: u64 = value.map_or(0, |value| value.parse().unwrap());
                assert_eq!(value, self.values[key]);
            }
        }
        assert_eq!(self.cache.loads_under_way(), 0);
    }
}

#[test]
fn nothing_older_is_served_than_what_was_reported() {
    let mut hits = 0;
    for seed in 0..50 {
        let mut world = World::new(seed);
        for _ in 0..20 {
            (0..100).for_each(|_| world.step());
            world.settle();
        }
        let stats = world.cache.stats();
        assert!(
            stats.misses > 0 && stats.bypasses > 0 && stats.clears > 0,
            "{stats:?}"
        );
        hits += stats.hits;
    }
    assert!(hits > 1_000, "{hits} hits have shown little");
}
