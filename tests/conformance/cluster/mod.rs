//! Clusters: what one node says of another's names and keys, and what is heard when slots and roles move.
//!
//! Nodes are named by their numbers, as in [`Cluster`]: 0 to 2 are primaries, 3 to 5 their replicas. The slot of
//! `foo` is 12182, at node 2; that of `bar` is 5061, at node 0.

mod failover;
mod keys;
mod links;
mod moves;
mod pubsub;
mod routing;
mod telling;

use tests::Cluster;
use tests::harness::Test;

pub(crate) fn tests() -> Vec<Test<(Cluster,)>> {
    let mut tests = routing::tests();
    tests.extend(telling::tests());
    tests.extend(pubsub::tests());
    tests.extend(keys::tests());
    tests.extend(moves::tests());
    tests.extend(failover::tests());
    tests.extend(links::tests());
    tests
}

/// Whether a promoted replica keeps the subscribers of its sharded channels, as Redis 7.0 does.
fn promoted_replicas_keep_subscribers(cluster: &Cluster) -> bool {
    cluster
        .real()
        .is_some_and(|real| real.name().starts_with("redis-server 7.0"))
}

/// Whether SUNSUBSCRIBE at a replica is answered with MOVED, as by Redis 8.
fn replicas_refuse_to_unsubscribe(cluster: &Cluster) -> bool {
    cluster.real().is_some_and(|real| {
        let name = real.name();
        name.starts_with("redis-server ") && !name.starts_with("redis-server 7.0")
    })
}
