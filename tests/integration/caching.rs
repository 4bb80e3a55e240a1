//! The near cache.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use redis_push::{BoxError, Bytes, Codec, Handle, NearCache};
use serde::{Deserialize, Serialize};
use tests::{RawClient, RealServer, Server, eventually, within};

use crate::attaching::{attach, service};
use crate::support::subscriber;

async fn start(server: &Server) -> Handle {
    let starting = subscriber(server.url()).start();
    within("the start", starting).await.unwrap()
}

/// Begins a cache of text.
async fn texts(handle: &Handle, keys: &str) -> NearCache<String, String> {
    let beginning = NearCache::new(handle, keys).text().into_future();
    within("the beginning", beginning).await.unwrap()
}

/// Gets a text.
async fn get(cache: &NearCache<String, String>, key: &str) -> Option<String> {
    let value = within("the value", cache.get(key)).await.unwrap();
    value.map(|value| (*value).clone())
}

/// Waits until the cache has a text, or knows that there is none, which others have written.
async fn becomes(cache: &NearCache<String, String>, key: &str, value: Option<&str>) {
    let what = format!("`{key}` to be {value:?}");
    // A connection that was killed may be noticed by a read.
    let is_it = |read: Option<Arc<String>>| read.as_deref().map(String::as_str) == value;
    eventually(&what, async || cache.get(key).await.is_ok_and(is_it)).await;
}

/// Waits until the cache serves what it holds.
async fn synced<K, V>(cache: &NearCache<K, V>) {
    eventually("the cache to be synced", async || cache.is_synced()).await;
}

async fn set(writer: &mut RawClient, key: &str, value: &str) {
    writer.expect(&format!("SET {key} {value}"), &["+OK"]).await;
}

pub(crate) async fn a_key_is_read_once_until_another_client_changes_it(server: Server) {
    let mut writer = server.raw().await;
    set(&mut writer, "user:7", "old").await;
    let handle = start(&server).await;
    let users = texts(&handle, "user:{id}").await;
    for _ in 0..10 {
        assert_eq!(get(&users, "7").await.as_deref(), Some("old"));
        assert_eq!(get(&users, "8").await, None);
    }
    let stats = users.stats();
    assert_eq!((stats.hits, stats.misses, stats.loads), (18, 2, 2));
    set(&mut writer, "user:7", "new").await;
    becomes(&users, "7", Some("new")).await;
    set(&mut writer, "user:8", "here").await;
    becomes(&users, "8", Some("here")).await;
    writer.expect("DEL user:7", &[":1"]).await;
    becomes(&users, "7", None).await;
    writer.expect("SET user:8 x PX 20", &["+OK"]).await;
    becomes(&users, "8", None).await;
    set(&mut writer, "user:7", "again").await;
    becomes(&users, "7", Some("again")).await;
    writer.expect("FLUSHALL", &["+OK"]).await;
    becomes(&users, "7", None).await;
    let stats = users.stats();
    assert_eq!((stats.bypasses, stats.clears), (0, 1));
    assert!(stats.invalidations >= 6, "{stats:?}");
    assert_eq!(handle.stats().caches, [stats]);
    drop(users);
    assert_eq!(handle.stats().caches[0].entries, 0);
}

/// JSON after one byte.
struct Versioned;

impl Codec for Versioned {
    fn decode<'p, T: Deserialize<'p>>(payload: &'p [u8]) -> Result<T, BoxError> {
        let json = payload.strip_prefix(b"1").ok_or("not version 1")?;
        Ok(serde_json::from_slice(json)?)
    }

    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, BoxError> {
        let mut payload = b"1".to_vec();
        serde_json::to_writer(&mut payload, value)?;
        Ok(payload)
    }
}

#[derive(Debug, PartialEq, Deserialize)]
struct User {
    name: String,
}

pub(crate) async fn values_are_decoded_and_what_does_not_decode_is_an_error(server: Server) {
    let mut writer = server.raw().await;
    let handle = start(&server).await;
    let build = || NearCache::<u8, User>::new(&handle, "user:{id}");
    let json = within("it", build().into_future()).await.unwrap();
    let coded = within("it", build().codec::<Versioned>().into_future());
    let coded = coded.await.unwrap();
    let packed = within("it", build().msgpack().into_future()).await.unwrap();
    let bytes = NearCache::<u8, Bytes>::new(&handle, "user:{id}").bytes();
    let bytes = within("it", bytes.into_future()).await.unwrap();
    let values: [&[u8]; 4] = [
        br#"{"name":"Ada"}"#,
        br#"1{"name":"Ada"}"#,
        b"\x81\xa4name\xa3Ada",
        b"secret",
    ];
    for (id, value) in values.iter().enumerate() {
        let key = format!("user:{id}");
        writer.say_words(&[b"SET", key.as_bytes(), value]).await;
        assert_eq!(writer.hear().await, "+OK");
    }
    let ada = || User { name: "Ada".into() };
    for (readable, cache) in [json, coded, packed].into_iter().enumerate() {
        for id in 0..4_u8 {
            let value = within("the value", cache.get(&id)).await;
            if usize::from(id) == readable {
                assert_eq!(*value.unwrap().unwrap(), ada());
                continue;
            }
            let error = value.unwrap_err();
            assert!(error.is_load(), "{error}");
            let text = error.to_string();
            assert!(text.contains(&format!("`user:{id}`")), "{text}");
            assert!(!text.contains("Ada") && !text.contains("secret"), "{text}");
            assert_eq!(cache.peek(&id), None);
        }
    }
    for (id, value) in values.iter().enumerate() {
        let id = u8::try_from(id).unwrap();
        let read = within("the value", bytes.get(&id)).await.unwrap();
        assert_eq!(read.unwrap().as_ref(), value);
    }
}

/// Not with the embedded broker, which has text only.
pub(crate) async fn a_key_of_another_type_is_an_error_and_not_absent(server: RealServer) {
    server.command(&["LPUSH", "user:1", "x"]).await;
    server.command(&["SET", "user:2", "here"]).await;
    let server = Server::Real(server);
    let handle = start(&server).await;
    let users = texts(&handle, "user:{id}").await;
    let error = within("the error", users.get("1")).await.unwrap_err();
    assert!(error.is_denied(), "{error}");
    assert!(error.to_string().contains("WRONGTYPE"), "{error}");
    let keys = ["1", "2"].map(str::to_owned);
    let error = within("the error", users.get_many(&keys)).await;
    assert!(error.unwrap_err().is_denied());
    assert_eq!(users.peek("1"), None);
    assert!(users.peek("2").is_some(), "it was read together with it");
}

pub(crate) async fn many_keys_are_read_together_and_kept_one_by_one(server: Server) {
    const KEYS: usize = 1_200;
    let mut writer = server.raw().await;
    let commands = (0..KEYS)
        .step_by(2)
        .map(|id| format!("SET user:{id} {id}\r\n"));
    writer.send(commands.collect::<String>().as_bytes()).await;
    for _ in 0..KEYS / 2 {
        writer.hears(&["+OK"]).await;
    }
    let handle = start(&server).await;
    let users = within(
        "the beginning",
        NearCache::<usize, usize>::new(&handle, "user:{id}").into_future(),
    );
    let users = users.await.unwrap();
    assert!(within("one", users.get(&6)).await.unwrap().is_some());
    let keys: Vec<_> = (0..KEYS).chain([6, 7]).collect();
    for _ in 0..2 {
        let values = within("the values", users.get_many(&keys)).await.unwrap();
        for (key, value) in keys.iter().zip(values) {
            let expected = (key % 2 == 0).then_some(*key);
            assert_eq!(value.as_deref(), expected.as_ref());
        }
    }
    let stats = users.stats();
    assert_eq!((stats.loads, stats.entries), (KEYS as u64, KEYS as u64));
    // The second of two equal keys waits for the load of the first.
    assert_eq!(stats.misses, stats.loads + 1);
    set(&mut writer, "user:7", "7").await;
    eventually("the change", async || {
        let values = within("the values", users.get_many(&[6, 7])).await.unwrap();
        values[1].as_deref() == Some(&7)
    })
    .await;
}

pub(crate) async fn a_hundred_callers_share_one_read(server: Server) {
    set(&mut server.raw().await, "user:7", "Ada").await;
    let handle = start(&server).await;
    let users = texts(&handle, "user:{id}").await;
    server.freeze(true);
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let users = users.clone();
            tokio::spawn(async move { users.get("7").await })
        })
        .collect();
    eventually("all to wait", async || users.stats().misses == 100).await;
    server.freeze(false);
    for caller in callers {
        let value = within("the value", caller).await.unwrap().unwrap();
        assert_eq!(value.as_deref().map(String::as_str), Some("Ada"));
    }
    assert_eq!(users.stats().loads, 1);
}

pub(crate) async fn a_cache_is_right_through_lost_connections_while_values_change(server: Server) {
    const KEYS: u64 = 20;
    const KILLS: u64 = 8;
    let handle = start(&server).await;
    let beginning = NearCache::<u64, u64>::new(&handle, "item:{id}").capacity(15);
    let items = within("the beginning", beginning.into_future());
    let items = items.await.unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    // Each reader checks that no value ever goes back: the values of the server only grow.
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (items, is_over) = (items.clone(), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut seen = [0; KEYS as usize];
                while !is_over.load(Relaxed) {
                    let key = fastrand::u64(..KEYS);
                    let value = match items.get(&key).await {
                        Ok(value) => value.map_or(0, |value| *value),
                        Err(error) if error.is_connection() => {
                            tokio::time::sleep(Duration::from_millis(1)).await;
                            continue;
                        }
                        Err(error) => panic!("{error}"),
                    };
                    let seen = &mut seen[usize::try_from(key).unwrap()];
                    assert!(value >= *seen, "item {key}: {value} after {seen}");
                    *seen = value;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let mut written = [0; KEYS as usize];
    let mut value = 0;
    for kill in 0..=KILLS {
        let mut writer = server.raw().await;
        for change in 0..200 {
            value += 1;
            let key = fastrand::usize(..written.len());
            set(&mut writer, &format!("item:{key}"), &value.to_string()).await;
            written[key] = value;
            if change == 100 && kill < KILLS {
                server.kill_connections().await;
                writer = server.raw().await;
            }
        }
        synced(&items).await;
    }
    is_over.store(true, Relaxed);
    for reader in readers {
        within("the reader", reader).await.unwrap();
    }
    // The last change is reported after all others.
    let mut writer = server.raw().await;
    let reported = items.stats().invalidations;
    set(&mut writer, "item:last", "0").await;
    eventually("the last report", async || {
        items.peek(&0);
        items.stats().invalidations > reported
    })
    .await;
    let mut held = 0;
    for (key, expected) in written.iter().enumerate() {
        if let Some(value) = items.peek(&(key as u64)) {
            assert_eq!(value.map_or(0, |value| *value), *expected, "item {key}");
            held += 1;
        }
    }
    let stats = items.stats();
    assert!(held > 0 && stats.hits > 0, "{stats:?}");
    assert!(stats.clears >= KILLS, "{stats:?}");
    assert!(stats.entries <= 15 && stats.evictions > 0, "{stats:?}");
}

/// Begins a cache of the number of times that a value was loaded.
async fn counted(handle: &Handle) -> NearCache<u64, u64> {
    let loads = AtomicU64::new(0);
    let loader = move |_| {
        let load = loads.fetch_add(1, Relaxed);
        async move { Ok::<_, BoxError>(Some(load)) }
    };
    let beginning = NearCache::new(handle, "user:{id}").load_with(loader);
    within("the beginning", beginning.into_future())
        .await
        .unwrap()
}

async fn number(cache: &NearCache<u64, u64>) -> u64 {
    let value = within("the value", cache.get(&7)).await.unwrap();
    *value.expect("the loader has one")
}

pub(crate) async fn calls_bypass_the_cache_while_the_server_is_away(server: Server) {
    let handle = start(&server).await;
    let users = counted(&handle).await;
    let texts = texts(&handle, "text:{id}").await;
    assert_eq!(number(&users).await, 0);
    assert_eq!(number(&users).await, 0);
    assert_eq!(get(&texts, "7").await, None);
    server.stop().await;
    eventually("the outage", async || !users.is_synced()).await;
    assert_eq!(users.peek(&7), None);
    for load in 1..4 {
        assert_eq!(number(&users).await, load);
    }
    let error = within("the error", texts.get("7")).await.unwrap_err();
    assert!(error.is_connection(), "{error}");
    assert_eq!(users.stats().bypasses, 3);
    server.start_again().await;
    synced(&users).await;
    assert_eq!(users.peek(&7), None, "it may have changed");
    assert_eq!(number(&users).await, 4);
    assert_eq!(number(&users).await, 4);
    eventually("a read", async || texts.get("7").await.is_ok()).await;
    assert_eq!(users.stats().clears, 1);
}

pub(crate) async fn a_cache_may_begin_before_its_server(server: Server) {
    server.stop().await;
    let handle = subscriber(server.url()).spawn().unwrap();
    let loads = AtomicU64::new(0);
    let loader = move |_| {
        let load = loads.fetch_add(1, Relaxed);
        async move { Ok::<_, BoxError>(Some(load)) }
    };
    let builder = NearCache::<u64, u64>::new(&handle, "user:{id}").load_with(loader);
    let users = builder.now().unwrap();
    for load in 0..3 {
        assert_eq!(number(&users).await, load);
    }
    server.start_again().await;
    synced(&users).await;
    assert_eq!(number(&users).await, 3);
    assert_eq!(number(&users).await, 3);
}

pub(crate) async fn a_read_of_a_silent_server_times_out(server: Server) {
    let handle = start(&server).await;
    let timeout = Duration::from_millis(100);
    let builder = NearCache::<u64, u64>::new(&handle, "user:{id}").timeout(timeout);
    let users = within("the beginning", builder.into_future());
    let users = users.await.unwrap();
    within("the value", users.get(&7)).await.unwrap();
    server.freeze(true);
    let error = within("the error", users.get(&8)).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    server.freeze(false);
    eventually("a read", async || users.get(&8).await.is_ok()).await;
}

pub(crate) async fn caches_with_overlapping_prefixes_are_each_right(server: Server) {
    let mut writer = server.raw().await;
    let handle = start(&server).await;
    // The server refuses the second prefix while it tracks the first, which is longer.
    let fields = texts(&handle, "user:7:{field}").await;
    set(&mut writer, "user:7:name", "Ada").await;
    becomes(&fields, "name", Some("Ada")).await;
    let users = texts(&handle, "user:{path*}").await;
    let all = texts(&handle, "{key*}").await;
    synced(&fields).await;
    assert_eq!(fields.peek("name"), None, "it was not tracked for a moment");
    for round in 0..3 {
        let name = format!("name-{round}");
        set(&mut writer, "user:7:name", &name).await;
        becomes(&fields, "name", Some(&name)).await;
        becomes(&users, "7:name", Some(&name)).await;
        becomes(&all, "user:7:name", Some(&name)).await;
        set(&mut writer, "other", &name).await;
        becomes(&all, "other", Some(&name)).await;
        server.kill_connections().await;
        eventually("the loss to be noticed", async || {
            [&fields, &users, &all]
                .iter()
                .all(|cache| cache.is_synced() && cache.stats().clears > round)
        })
        .await;
        writer = server.raw().await;
    }
    drop((fields, users));
    set(&mut writer, "user:7:name", "Grace").await;
    becomes(&all, "user:7:name", Some("Grace")).await;
}

pub(crate) async fn a_cache_outlives_its_subscriber_and_holds_nothing_then(server: Server) {
    for is_dropped in [false, true] {
        let handle = start(&server).await;
        let users = counted(&handle).await;
        assert_eq!(number(&users).await, 0);
        if is_dropped {
            // A cache does not keep its subscriber alive.
            drop(handle);
        } else {
            within("the end", handle.shutdown(Duration::from_secs(5))).await;
            let again = NearCache::<u64, u64>::new(&handle, "user:{id}").now();
            let error = again.unwrap_err();
            assert!(error.to_string().contains("has ended"), "{error}");
        }
        assert!(!users.is_synced());
        assert_eq!(users.stats().entries, 0);
        assert_eq!(number(&users).await, 1);
        assert_eq!(number(&users).await, 2);
    }
}

pub(crate) async fn a_cache_whose_invalidations_are_denied_says_so_or_is_bypassed(
    server: RealServer,
) {
    server
        .command(&["ACL", "SETUSER", "default", "-client"])
        .await;
    server.command(&["SET", "user:7", "Ada"]).await;
    let handle = within("the start", subscriber(server.url()).start());
    let handle = handle.await.unwrap();
    let build = || NearCache::<String, String>::new(&handle, "user:{id}").text();
    let error = within("the denial", build().into_future()).await;
    let error = error.unwrap_err();
    assert!(error.is_denied(), "{error}");
    let users = build().now().unwrap();
    for _ in 0..3 {
        assert_eq!(get(&users, "7").await.as_deref(), Some("Ada"));
    }
    assert_eq!(users.stats().bypasses, 3);
    assert!(handle.is_ready());
    assert_eq!(handle.health().streams.denied, 1);
    server
        .command(&["ACL", "SETUSER", "default", "+client"])
        .await;
    synced(&users).await;
    get(&users, "7").await;
    get(&users, "7").await;
    assert_eq!(users.stats().hits, 1);
}

pub(crate) async fn a_cache_needs_only_the_rights_in_the_docs(server: RealServer) {
    server.command(&["SET", "user:7", "Ada"]).await;
    let user = ["ACL", "SETUSER", "reader", "reset", "on", ">first"];
    let rights = ["resetchannels", "~user:*", "-@all", "+get"];
    let commands = ["+unsubscribe", "+ping", "+client|tracking"];
    server
        .command(&[&user[..], &rights, &commands].concat())
        .await;
    let url = server
        .url()
        .replacen("redis://", "redis://reader:first@", 1);
    let handle = within("the start", subscriber(url).start()).await.unwrap();
    let users = texts(&handle, "user:{id}").await;
    assert_eq!(get(&users, "7").await.as_deref(), Some("Ada"));
    server.command(&["SET", "user:7", "Grace"]).await;
    becomes(&users, "7", Some("Grace")).await;
    let others = texts(&handle, "other:{id}").await;
    let error = within("the error", others.get("7")).await.unwrap_err();
    assert!(error.is_denied(), "{error}");
}

pub(crate) async fn a_cache_reads_over_the_services_manager(server: Server) {
    let (manager, sender) = service(&server, 10_000).await;
    let handle = attach(&manager, &sender, []).await;
    let mut writer = server.raw().await;
    set(&mut writer, "user:7", "old").await;
    let users = texts(&handle, "user:{id}").await;
    for _ in 0..3 {
        assert_eq!(get(&users, "7").await.as_deref(), Some("old"));
    }
    assert_eq!(users.stats().hits, 2);
    set(&mut writer, "user:7", "new").await;
    becomes(&users, "7", Some("new")).await;
    // A write over the same connection is reported too.
    let mut theirs = manager.clone();
    let mut write = redis::cmd("SET");
    write.arg("user:7").arg("theirs");
    write.exec_async(&mut theirs).await.unwrap();
    becomes(&users, "7", Some("theirs")).await;
    server.kill_connections().await;
    eventually("the next connection", async || {
        users.is_synced() && users.stats().clears > 0
    })
    .await;
    let mut writer = server.raw().await;
    set(&mut writer, "user:7", "last").await;
    becomes(&users, "7", Some("last")).await;
}
