//! The fixture [`RealSentinels`]: that it does to real servers what its methods say.

use std::time::Duration;

use redis::Value;
use tests::{RawClient, RealSentinels, RealServer, eventually_in};

pub(crate) async fn sentinels_name_a_primary_with_replicas(sentinels: RealSentinels) {
    let primary = sentinels.primary().await;
    assert_eq!(primary.addr(), sentinels.servers()[0].addr());
    assert_eq!(sentinels.replicas().await.len(), 2);
    assert_eq!(sentinels.urls().len(), 3);
    for replica in sentinels.replicas().await {
        assert_eq!(role(replica).await, "slave");
    }
}

pub(crate) async fn sentinels_replace_a_primary_that_works_when_they_are_asked(
    sentinels: RealSentinels,
) {
    let old = sentinels.primary().await;
    let mut watching = Vec::new();
    for sentinel in sentinels.sentinels() {
        let mut client = RawClient::resp3(sentinel.addr()).await;
        let confirmed = r#">["subscribe" "+switch-master" :1]"#;
        // Not `expect`: a sentinel of Redis 6.2 takes no argument to `PING`.
        assert_eq!(client.ask("SUBSCRIBE +switch-master").await, confirmed);
        watching.push(client);
    }
    let new = sentinels.fail_over().await;
    assert_ne!(new.addr(), old.addr());
    let ports = (old.addr().port(), new.addr().port());
    let switched = format!("mymaster 127.0.0.1 {} 127.0.0.1 {}", ports.0, ports.1);
    for client in &mut watching {
        client
            .hears(&[format!(r#">["message" "+switch-master" "{switched}"]"#)])
            .await;
    }
}

pub(crate) async fn sentinels_replace_a_killed_primary(sentinels: RealSentinels) {
    let old = sentinels.primary().await;
    sentinels.kill(old).await;
    let new = sentinels.new_primary(old).await;
    assert_ne!(new.addr(), old.addr());
    sentinels.restart(old).await;
    assert_eq!(role(old).await, "master");
}

pub(crate) async fn sentinels_replace_a_frozen_primary_and_demote_it_when_it_thaws(
    sentinels: RealSentinels,
) {
    let old = sentinels.primary().await;
    sentinels.freeze(old);
    sentinels.new_primary(old).await;
    sentinels.thaw(old);
    // A sentinel waits for ten seconds.
    let patience = Duration::from_secs(30);
    eventually_in(patience, "the old primary to be demoted", async || {
        role(old).await == "slave"
    })
    .await;
}

pub(crate) async fn two_sentinels_of_three_are_enough(sentinels: RealSentinels) {
    let [first, second, _] = sentinels.sentinels() else {
        panic!("not three sentinels");
    };
    sentinels.kill(first).await;
    let old = sentinels.primary().await;
    sentinels.kill(old).await;
    let new = sentinels.new_primary(old).await;
    sentinels.restart(first).await;
    sentinels.freeze(second);
    assert_eq!(sentinels.primary().await.addr(), new.addr());
    sentinels.thaw(second);
}

pub(crate) async fn sentinels_and_servers_have_passwords_of_their_own(sentinels: RealSentinels) {
    sentinels.set_password("theirs").await;
    sentinels.set_sentinel_password("ours").await;
    for (server, password) in [
        (&sentinels.servers()[0], "theirs"),
        (&sentinels.sentinels()[0], "ours"),
    ] {
        let mut client = RawClient::connect(server.addr()).await;
        assert!(client.ask("PING").await.starts_with("-NOAUTH"));
        assert_eq!(client.ask(&format!("AUTH {password}")).await, "+OK");
    }
    sentinels.fail_over().await;
}

/// Nothing while the server closes its connections, as it does when its role changes.
async fn role(server: &RealServer) -> String {
    let Ok(role) = server.ask(&["ROLE"]).await else {
        return String::new();
    };
    let role: Vec<Value> = redis::from_redis_value(role).unwrap();
    redis::from_redis_value(role[0].clone()).unwrap()
}
