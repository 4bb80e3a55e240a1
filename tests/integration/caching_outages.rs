//! The near cache while the server, the connection or the right to invalidations is missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use redis_push::{BoxError, Handle, NearCache};
use tests::{RealServer, Server, eventually, within};

use crate::caching::{get, set, start, synced, texts};
use crate::support::subscriber;

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
    let timeout = Duration::from_secs(1);
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
