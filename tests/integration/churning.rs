//! Names that come and go all the time: none of them holds up another.

use std::time::Duration;

use redis_push::{Bytes, EventStream, Handle, Subscription};
use tests::{Proxy, Server, eventually, within};

use crate::support::{recorder, subscriber};

/// How many names come or go, one after another, while something else has to happen.
const NAMES: usize = 100;

/// Longer than the server takes. So when the reply to one command arrives, the next name has come or
/// gone already.
const DELAY: Duration = Duration::from_millis(20);

fn open(handle: &Handle, name: &str) -> EventStream<Bytes> {
    let name = Subscription::channel(name.to_owned());
    handle.subscribe(name).now().unwrap()
}

async fn opened(handle: &Handle, name: &str) -> EventStream<Bytes> {
    let name = Subscription::channel(name.to_owned());
    let subscribing = handle.subscribe(name).into_future();
    within("the confirmation", subscribing).await.unwrap()
}

pub(crate) async fn a_name_is_subscribed_while_others_leave_all_the_time(server: Server) {
    let proxy = Proxy::start(server.addr(), 0).await;
    let starting = subscriber(proxy.url()).linger(Duration::ZERO).start();
    let handle = within("the start", starting).await.unwrap();
    let streams: Vec<_> = (0..NAMES)
        .map(|number| open(&handle, &format!("old.{number}")))
        .collect();
    // The last of them, so the others are confirmed too.
    drop(opened(&handle, &format!("old.{}", NAMES - 1)).await);
    proxy.delay(DELAY);
    let mut streams = streams.into_iter().enumerate();
    let mut leave = async || {
        let (number, stream) = streams.next()?;
        drop(stream);
        server
            .wait_for_subscribers_of(&format!("old.{number}"), 0)
            .await;
        Some(())
    };
    leave().await;
    tokio::select! {
        _ = opened(&handle, "new") => {}
        () = async { while leave().await.is_some() {} } => {
            panic!("the new name waits until no other leaves");
        }
    }
}

pub(crate) async fn names_are_left_and_retried_while_others_come_all_the_time(server: Server) {
    let proxy = Proxy::start(server.addr(), 0).await;
    server.deny("denied").await;
    let (denied, mut journal) = recorder("denied", Subscription::channel("denied"));
    let starting = subscriber(proxy.url())
        .linger(Duration::ZERO)
        .handlers([denied])
        .allow_denied()
        .start();
    let handle = within("the start", starting).await.unwrap();
    let old = opened(&handle, "old").await;
    proxy.delay(DELAY);
    let mut streams = Vec::new();
    let mut come = async || {
        let name = format!("new.{}", streams.len());
        streams.push(open(&handle, &name));
        server.wait_for_subscribers_of(&name, 1).await;
        streams.len() < NAMES
    };
    come().await;
    drop(old);
    server.allow("denied").await;
    let both = async {
        server.wait_for_subscribers_of("old", 0).await;
        journal.begins().await;
        eventually("readiness", async || handle.is_ready()).await;
    };
    tokio::select! {
        () = both => {}
        () = async { while come().await {} } => {
            panic!("they wait until no other name comes");
        }
    }
}
