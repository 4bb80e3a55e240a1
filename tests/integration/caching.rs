//! The near cache.

use std::sync::Arc;

use redis_push::{BoxError, Bytes, Codec, Handle, NearCache};
use serde::{Deserialize, Serialize};
use tests::{RawClient, RealServer, Server, eventually, within};

use crate::attaching::{attach, service};
use crate::support::subscriber;

pub(crate) async fn start(server: &Server) -> Handle {
    let starting = subscriber(server.url()).start();
    within("the start", starting).await.unwrap()
}

/// Begins a cache of text.
pub(crate) async fn texts(handle: &Handle, keys: &str) -> NearCache<String, String> {
    let beginning = NearCache::new(handle, keys).text().into_future();
    within("the beginning", beginning).await.unwrap()
}

/// Gets a text.
pub(crate) async fn get(cache: &NearCache<String, String>, key: &str) -> Option<String> {
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
pub(crate) async fn synced<K, V>(cache: &NearCache<K, V>) {
    eventually("the cache to be synced", async || cache.is_synced()).await;
}

pub(crate) async fn set(writer: &mut RawClient, key: &str, value: &str) {
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

pub(crate) async fn a_key_is_not_served_after_its_end_even_if_the_server_has_not_removed_it(
    server: RealServer,
) {
    // While writes are paused, no key is removed, and so none is reported.
    server
        .command(&["SET", "user:7", "short", "PX", "300"])
        .await;
    server
        .command(&["SET", "user:8", "long", "PX", "100000"])
        .await;
    server.command(&["SET", "user:9", "lasting"]).await;
    server.command(&["CLIENT", "PAUSE", "60000", "WRITE"]).await;
    let server = Server::Real(server);
    let handle = start(&server).await;
    let users = texts(&handle, "user:{id}").await;
    let keys = ["7", "8", "9"].map(str::to_owned);
    within("the values", users.get_many(&keys)).await.unwrap();
    becomes(&users, "7", None).await;
    assert_eq!(users.peek("7"), Some(None), "that is kept");
    for (key, value) in [("8", "long"), ("9", "lasting")] {
        let known = users.peek(key).expect("it is kept");
        assert_eq!(known.as_deref().map(String::as_str), Some(value));
    }
    let stats = users.stats();
    assert_eq!((stats.invalidations, stats.entries), (0, 3));
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
    assert!(error.is_load(), "{error}");
    assert!(error.to_string().contains("WRONGTYPE"), "{error}");
    let keys = ["1", "2"].map(str::to_owned);
    let error = within("the error", users.get_many(&keys)).await;
    assert!(error.unwrap_err().is_load());
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

pub(crate) async fn a_cache_needs_only_the_rights_in_the_docs(server: RealServer) {
    server.command(&["SET", "user:7", "Ada"]).await;
    let user = ["ACL", "SETUSER", "reader", "reset", "on", ">first"];
    let rights = ["resetchannels", "~user:*", "-@all", "+get", "+pttl"];
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
