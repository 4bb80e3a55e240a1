//! A name that moves from one node to the other and back, while connections end.

use std::sync::Arc;

use shuttle::rand::{Rng as _, thread_rng};
use shuttle::thread;

use super::model_cluster::Cluster;
use super::model_servers::{Heard, NODES};
use crate::dispatch::Dispatcher;
use crate::gap::GapCause;
use crate::push::NodeId;
use crate::subscription::Subscription;
use crate::util::model::check_few;

const MESSAGES: u64 = 6;

/// Publishes messages to both nodes, and ends connections to them at some time.
fn disturb(cluster: &Arc<Cluster>) -> [thread::JoinHandle<()>; 2] {
    let publisher = Arc::clone(cluster);
    let publisher = thread::spawn(move || {
        for _ in 0..MESSAGES {
            publisher.update(|servers| servers.publish(|_| true));
            thread::yield_now();
        }
    });
    [publisher, cluster.start_breaker()]
}

/// Returns whether the name is confirmed on a node.
fn is_confirmed(node: NodeId) -> impl Fn(&Dispatcher) -> bool {
    move |dispatcher| dispatcher.agenda(node).handlers.confirmed > 0
}

/// Publishes a last message, and checks what the handler has received.
fn check(cluster: &Cluster, place: NodeId, reader: thread::JoinHandle<()>) {
    assert_eq!(cluster.lock().subscribed(), [place], "it is there only");
    let last = cluster.update(|servers| servers.publish(|_| true));
    cluster.finish(last);
    cluster.dispatcher.close();
    reader.join().unwrap();

    let servers = cluster.lock();
    let (mut next, mut gaps, mut is_live) = (0, Vec::new(), false);
    for heard in &servers.heard {
        match heard {
            Heard::Gap(gap) => {
                assert_eq!(gap.cause == GapCause::Initial, !is_live, "{gap:?}");
                is_live = true;
                gaps.push(gap);
            }
            Heard::Message(number) => {
                assert!(is_live, "a message before the initial gap");
                assert!(
                    *number >= next,
                    "twice, or out of order: {:?}",
                    servers.heard
                );
                for missing in next..*number {
                    let is_told = gaps.iter().any(|gap| servers.is_told(missing, gap));
                    assert!(
                        is_told,
                        "{missing} was lost in silence: {:?}",
                        servers.heard
                    );
                }
                next = number + 1;
                gaps.clear();
            }
        }
    }
}

/// The nodes pass on what is published at any of them, and leave the name where it is. The coordinator moves
/// it from nodes that it does not trust, or that are lost.
#[test]
fn a_channel_that_moves_is_taken_from_one_node_at_a_time() {
    check_few(|| {
        let (cluster, receiver) = Cluster::new(Subscription::channel("a"), &NODES);
        let threads = cluster.start();
        let reader = cluster.start_reader(receiver);
        let moving = Arc::clone(&cluster);
        let coordinator = thread::spawn(move || {
            for turn in 0..3 {
                let [from, to] = [turn, turn + 1].map(|turn| NodeId::at(NODES[turn % 2]));
                let moved = moving.dispatcher.move_names(from, |_, _| Some(to));
                assert_eq!(moved, 1);
                if thread_rng().gen_range(0..2) == 0 {
                    moving.wait_until(is_confirmed(to));
                }
                thread::yield_now();
            }
        });
        for thread in disturb(&cluster).into_iter().chain([coordinator]) {
            thread.join().unwrap();
        }
        let place = NodeId::at(NODES[1]);
        cluster.wait_until(is_confirmed(place));
        cluster.stop(threads);
        check(&cluster, place, reader);
    });
}

/// One node has the slot of a sharded channel. It ends the subscription when the slot moves, and answers
/// `MOVED` then, which the coordinator follows.
#[test]
fn a_sharded_channel_follows_its_slot_and_is_taken_from_one_node_at_a_time() {
    check_few(|| {
        let (cluster, receiver) = Cluster::new(Subscription::shard("a"), &NODES[..1]);
        let threads = cluster.start();
        let reader = cluster.start_reader(receiver);
        let following = Arc::clone(&cluster);
        let coordinator = thread::spawn(move || following.follow());
        let disturbing = disturb(&cluster);
        for turn in 1..4 {
            let owner = NodeId::at(NODES[turn % 2]);
            cluster.update(|servers| servers.set_owner(owner));
            thread::yield_now();
        }
        for thread in disturbing {
            thread.join().unwrap();
        }
        let place = NodeId::at(NODES[1]);
        cluster.wait_until(is_confirmed(place));
        cluster.stop(threads.into_iter().chain([coordinator]).collect());
        check(&cluster, place, reader);
    });
}
