//! The fixture [`RealCluster`]: that it does to real clusters what its methods say.

use tests::{First, RealCluster, SLOTS, eventually, within};

pub(crate) async fn a_cluster_has_primaries_with_replicas_that_every_node_shows(
    cluster: RealCluster,
) {
    let primaries = cluster.primaries().await;
    assert_eq!(primaries, cluster.nodes()[..3]);
    let mut covered = 0;
    for primary in &primaries {
        assert!(primary.is_ok().await);
        assert_eq!(cluster.replicas_of(primary).await.len(), 1, "{primary:?}");
        for slots in cluster.slots_of(primary).await {
            covered += slots.len();
        }
    }
    assert_eq!(covered, usize::from(SLOTS));
    for name in [
        "123456789",
        "a",
        "{a}b",
        "{}a",
        "x{a}{b}",
        "{{a}}",
        "{a",
        "a}{b}",
        "ü",
        "",
    ] {
        let slot = cluster.slot_of(name).await;
        assert_eq!(slot, tests::fuzz::slot_of(name.as_bytes()), "{name}");
    }

    let (_, owner) = cluster.place_of("{a}").await;
    let mut writer = owner.connect().await;
    let written = redis::cmd("SET").arg("{a}").arg(1).to_owned();
    within("a write", written.exec_async(&mut writer))
        .await
        .unwrap();
}

pub(crate) async fn a_slot_moves_with_its_keys_and_its_subscribers_are_told(cluster: RealCluster) {
    let (slot, source) = cluster.place_of("{a}.n").await;
    source.command(&["SET", "{a}.key", "kept"]).await;
    let target = another_primary(&cluster, slot).await;
    let mut subscriber = source.raw3().await;
    let confirmed = r#">["ssubscribe" "{a}.n" :1]"#;
    subscriber.expect("SSUBSCRIBE {a}.n", &[confirmed]).await;

    cluster.move_slot(slot, &target, First::Target).await;
    subscriber.hears(&[r#">["sunsubscribe" "{a}.n" :0]"#]).await;
    let moved = subscriber.ask("SSUBSCRIBE {a}.n").await;
    assert_eq!(moved, format!("-MOVED {slot} {}", target.addr()));
    let kept = target.command(&["GET", "{a}.key"]).await;
    assert_eq!(kept, redis::Value::BulkString("kept".into()));

    // The source, told first, refers to the target, and the target refers to the source.
    let mut subscriber = target.raw3().await;
    subscriber.expect("SSUBSCRIBE {a}.n", &[confirmed]).await;
    let back = cluster.begin_move(slot..=slot, &source).await;
    back.tell_source().await;
    subscriber.hears(&[r#">["sunsubscribe" "{a}.n" :0]"#]).await;
    let moved = subscriber.ask("SSUBSCRIBE {a}.n").await;
    assert_eq!(moved, format!("-MOVED {slot} {}", source.addr()));
    let moved = source.raw3().await.ask("SSUBSCRIBE {a}.n").await;
    // Valkey's target may have heard of it over the bus, and Redis's waits until it is told.
    let back_again = format!("-MOVED {slot} {}", target.addr());
    assert!(moved == back_again || moved == confirmed, "{moved}");
    back.tell_target().await;
    back.end().await;
    assert_eq!(cluster.primary_of(slot).await, source);
    cluster.move_slot(slot, &target, First::Source).await;
    assert_eq!(cluster.primary_of(slot).await, target);
}

pub(crate) async fn slots_move_at_once_where_the_server_can_do_that(cluster: RealCluster) {
    if !cluster.can_migrate_slots().await {
        return eprintln!("skipped: {} has no CLUSTER MIGRATESLOTS", cluster.name());
    }
    let (slot, source) = cluster.place_of("{a}").await;
    source.command(&["SET", "{a}", "kept"]).await;
    let target = another_primary(&cluster, slot).await;
    cluster.migrate_slots(slot..=slot, &target).await;
    assert_eq!(cluster.primary_of(slot).await, target);
    let kept = target.command(&["GET", "{a}"]).await;
    assert_eq!(kept, redis::Value::BulkString("kept".into()));
}

pub(crate) async fn a_replica_takes_over_and_back_again(cluster: RealCluster) {
    let (slot, old) = cluster.place_of("{a}").await;
    let new = cluster.fail_over(&old).await;
    assert_ne!(new, old);
    assert_eq!(cluster.primary_of(slot).await, new);
    eventually("the old primary to be demoted", async || {
        old.is_replica().await
    })
    .await;
    assert_eq!(cluster.fail_over(&old).await, old);
    assert_eq!(cluster.primary_of(slot).await, old);
}

pub(crate) async fn a_killed_node_is_replaced_and_comes_back_as_a_replica(cluster: RealCluster) {
    let (slot, old) = cluster.place_of("{a}").await;
    let replica = cluster.replicas_of(&old).await.remove(0);
    cluster.kill(&old).await;
    assert_eq!(cluster.new_owner(slot, &old).await, replica);
    cluster.restart(&old).await;
    assert_eq!(cluster.replicas_of(&replica).await, [old]);
}

pub(crate) async fn a_frozen_node_is_replaced_and_notices_it_when_it_thaws(cluster: RealCluster) {
    let (slot, old) = cluster.place_of("{a}").await;
    cluster.freeze(&old);
    let new = cluster.new_owner(slot, &old).await;
    cluster.thaw(&old);
    cluster.settle().await;
    assert_eq!(cluster.replicas_of(&new).await, [old]);
}

pub(crate) async fn a_node_joins_takes_a_slot_and_is_forgotten(cluster: RealCluster) {
    let (slot, old) = cluster.place_of("{a}").await;
    let new = cluster.add_node().await;
    assert!(cluster.slots_of(&new).await.is_empty());
    cluster.move_slot(slot, &new, First::Target).await;
    assert!(cluster.primaries().await.contains(&new));
    cluster.move_slot(slot, &old, First::Target).await;
    cluster.forget(&new).await;
    assert!(!cluster.members().contains(&new));
    // It still takes itself for a member of the cluster.
    assert!(new.is_ok().await);

    let mut subscriber = new.raw3().await;
    let confirmed = r#">["subscribe" "a" :1]"#;
    subscriber.expect("SUBSCRIBE a", &[confirmed]).await;
    old.command(&["PUBLISH", "a", "1"]).await;
    new.command(&["PUBLISH", "a", "2"]).await;
    subscriber.hears(&[r#">["message" "a" "2"]"#]).await;
}

pub(crate) async fn a_reset_bus_has_new_links(cluster: RealCluster) {
    let [first, second, ..] = &cluster.nodes()[..] else {
        panic!("a cluster has nodes");
    };
    cluster.reset_bus(first).await;
    let mut subscriber = first.raw3().await;
    let confirmed = r#">["subscribe" "a" :1]"#;
    subscriber.expect("SUBSCRIBE a", &[confirmed]).await;
    second.command(&["PUBLISH", "a", "1"]).await;
    subscriber.hears(&[r#">["message" "a" "1"]"#]).await;
}

pub(crate) async fn a_node_that_is_cut_off_is_replaced(cluster: RealCluster) {
    if !cluster.can_cut_off().await {
        return eprintln!("skipped: {} cannot drop every packet", cluster.name());
    }
    let (slot, old) = cluster.place_of("{a}").await;
    cluster.cut_off(&old).await;
    let new = cluster.new_owner(slot, &old).await;
    assert!(
        !old.is_replica().await,
        "it cannot know that it is replaced"
    );
    cluster.join_again(&old).await;
    cluster.settle().await;
    assert_eq!(cluster.replicas_of(&new).await, [old]);
}

pub(crate) async fn passwords_and_users_hold_on_every_node_and_after_a_restart(
    cluster: RealCluster,
) {
    cluster.set_password("right").await;
    cluster.set_user("app", &["on", ">word", "+@all"]).await;
    let (slot, old) = cluster.place_of("{a}").await;
    cluster.kill(&old).await;
    cluster.new_owner(slot, &old).await;
    cluster.restart(&old).await;
    for node in cluster.nodes() {
        let mut client = tests::RawClient::connect(node.addr()).await;
        assert!(client.ask("PING").await.starts_with("-NOAUTH"), "{node:?}");
        assert_eq!(client.ask("AUTH app word").await, "+OK");
    }
    // The nodes need the password to move keys and to replicate.
    let source = cluster.primary_of(slot).await;
    source.command(&["SET", "{a}", "kept"]).await;
    let target = another_primary(&cluster, slot).await;
    cluster.move_slot(slot, &target, First::Target).await;
    assert_eq!(cluster.fail_over(&old).await, old);
}

async fn another_primary(cluster: &RealCluster, slot: u16) -> tests::Node {
    let owner = cluster.primary_of(slot).await;
    let primaries = cluster.primaries().await.into_iter();
    let mut others = primaries.filter(|node| *node != owner);
    others.next().expect("a second primary")
}
