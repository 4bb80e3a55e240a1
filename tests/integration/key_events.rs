//! Whether the server publishes the key events that handlers listen to.

use redis_push::Subscription;
use tests::{RealServer, Server, within};

use crate::support::{plain, recorder, subscriber};

fn users() -> Subscription {
    Subscription::keyspace("user:{id}").unwrap()
}

async fn setting(server: &Server) -> String {
    let mut client = server.raw3().await;
    client.ask("CONFIG GET notify-keyspace-events").await
}

pub(crate) async fn key_events_that_the_server_does_not_publish_are_an_error(server: Server) {
    for (setting, missing) in [("", "`KA`"), ("gxE", "`K`")] {
        server.set_key_events(setting).await;
        let (mount, _) = recorder("on_user", users());
        let (other, _) = recorder("other", Subscription::channel("a"));
        let starting = plain(server.url()).handlers([mount, other]).start();
        let error = within("the start", starting).await.expect_err("no events");
        assert!(error.is_denied(), "{error}");
        let text = error.to_string();
        for part in ["1 of 2", "for `on_user`", "notify-keyspace-events", missing] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    }
}

pub(crate) async fn key_events_that_are_published_later_arrive(server: Server) {
    server.set_key_events("").await;
    let (mount, mut journal) = recorder("on_user", users());
    let starting = subscriber(server.url())
        .allow_denied()
        .handlers([mount])
        .start();
    let handle = within("the start", starting).await.unwrap();
    assert!(!handle.is_ready());
    server.set_key_events("Kg$").await;
    within("readiness", handle.ready()).await;
    journal.begins().await;
    server.raw3().await.ask("SET user:7 x").await;
    journal.message("__keyspace@0__:user:7", "set").await;
}

pub(crate) async fn key_events_are_configured_in_addition_to_those_of_others(server: Server) {
    server.set_key_events("gE").await;
    let (mount, mut journal) = recorder("on_user", users());
    let starting = subscriber(server.url())
        .configure_keyspace_events(true)
        .handlers([mount])
        .start();
    let handle = within("the start", starting).await.unwrap();
    journal.begins().await;
    let now = setting(&server).await;
    for flag in ["g", "E", "K"] {
        assert!(now.contains(flag), "{now}");
    }
    server.raw3().await.ask("SET user:7 x").await;
    server.raw3().await.ask("DEL user:7").await;
    journal.message("__keyspace@0__:user:7", "del").await;
    assert!(handle.is_ready());
}

/// A managed service often forbids `CONFIG`.
pub(crate) async fn a_setting_that_may_not_be_read_is_a_warning(server: RealServer) {
    server
        .command(&["ACL", "SETUSER", "default", "-config"])
        .await;
    let (mount, mut journal) = recorder("on_user", users());
    let starting = plain(server.url()).handlers([mount]).start();
    let handle = within("the start", starting).await.unwrap();
    journal.begins().await;
    within("readiness", handle.ready()).await;
    let warnings = tests::overheard::lines_with("may not read `notify-keyspace-events`");
    assert!(!warnings.is_empty());
}
