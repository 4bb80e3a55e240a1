//! A name that is on both nodes, of which each has messages of its own, while connections end and slots move.

use std::sync::Arc;

use shuttle::rand::{Rng as _, thread_rng};
use shuttle::sync::Mutex;
use shuttle::thread;

use super::model_cluster::Cluster;
use super::model_servers::{Heard, NODES};
use crate::gap::GapCause;
use crate::push::NodeId;
use crate::subscription::Subscription;
use crate::util::clock;
use crate::util::model::check_few;

const MESSAGES: usize = 6;
const NAME: &str = "__keyspace@0__:*";

/// Gives slots to other nodes, each time that the coordinator has looked a few times. The first ones are those at the
/// beginning.
fn run(turns: &'static [&'static [usize]]) {
    let (cluster, receiver) = Cluster::new(Subscription::pattern(NAME), &NODES);
    let reader = cluster.start_reader(receiver);
    let slots = Arc::new(Mutex::new(turns[0]));
    let threads = cluster.start();

    let (events, owners) = (Arc::clone(&cluster), Arc::clone(&slots));
    let publisher = thread::spawn(move || {
        for _ in 0..MESSAGES {
            // What is written to a key is an event at the owner of its slot.
            let owners = owners.lock().unwrap();
            let at = NodeId::at(owners[thread_rng().gen_range(0..owners.len())]);
            events.update(|servers| servers.publish(|node| node == at));
            drop(owners);
            thread::yield_now();
        }
    });
    let breaker = cluster.start_breaker();
    let looking = Arc::clone(&cluster);
    let coordinator = thread::spawn(move || {
        let mut looks = [clock::wall(); 2];
        for owners in turns {
            *slots.lock().unwrap() = owners;
            for _ in 0..3 {
                thread::yield_now();
                let now = clock::wall();
                looking.dispatcher.spread(&nodes(owners), looks[0]);
                looks = [looks[1], now];
            }
        }
    });
    for thread in [publisher, breaker, coordinator] {
        thread.join().unwrap();
    }

    let owners = nodes(turns[turns.len() - 1]);
    cluster.wait_until(|dispatcher| {
        let counts = dispatcher.name_counts().0;
        counts.all == owners.len() as u64 && counts.confirmed == counts.all
    });
    cluster.stop(threads);
    assert_eq!(cluster.lock().subscribed(), owners, "it is there only");
    for owner in &owners {
        let last = cluster.update(|servers| servers.publish(|node| node == *owner));
        cluster.finish(last);
    }
    cluster.dispatcher.close();
    reader.join().unwrap();
    check(&cluster);
}

fn nodes(indices: &[usize]) -> Vec<NodeId> {
    indices.iter().copied().map(NodeId::at).collect()
}

/// Checks that every message was heard once, or was published in a gap.
fn check(cluster: &Cluster) {
    let servers = cluster.lock();
    let (mut numbers, mut gaps) = (Vec::new(), Vec::new());
    for heard in &servers.heard {
        match heard {
            Heard::Gap(gap) => {
                let is_first = gaps.is_empty();
                assert_eq!(gap.cause == GapCause::Initial, is_first, "{gap:?}");
                gaps.push(gap);
            }
            Heard::Message(number) => {
                assert!(!gaps.is_empty(), "a message before the initial gap");
                let publisher = |number: u64| &servers.published_at[number as usize];
                let mut later = numbers.iter().filter(|other| *other >= number);
                let is_in_order = later.all(|later| publisher(*later) != publisher(*number));
                assert!(is_in_order, "twice, or out of order: {:?}", servers.heard);
                numbers.push(*number);
            }
        }
    }
    for number in 0..servers.published.len() as u64 {
        let is_told = || gaps.iter().any(|gap| servers.is_told(number, gap));
        let is_known = numbers.contains(&number) || is_told();
        assert!(
            is_known,
            "{number} was lost in silence: {:?}",
            servers.heard
        );
    }
}

#[test]
fn the_messages_of_each_node_come_once_and_its_losses_are_told() {
    check_few(|| run(&[&NODES]));
}

#[test]
fn a_node_that_begins_or_ceases_to_own_slots_is_asked_or_left() {
    check_few(|| run(&[&NODES, &[NODES[0]], &NODES]));
}

#[test]
fn what_is_lost_at_a_node_that_ceases_to_own_slots_is_told() {
    check_few(|| run(&[&NODES, &[NODES[0]]]));
}

#[test]
fn the_slots_of_one_node_go_to_the_other() {
    check_few(|| run(&[&[NODES[0]], &[NODES[1]]]));
}
