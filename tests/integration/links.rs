//! Several links: the names are spread over connections, and each is lost and drained on its own.

use std::time::Duration;

use redis_push::{Handle, Mount, Subscriber, Subscription};
use tests::{RealServer, Server, within};

use crate::support::*;

const NAMES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

/// Starts a handler for each name.
async fn started(url: String) -> (Handle, Vec<Journal>) {
    let recorders = NAMES.map(|name| recorder(name, Subscription::channel(name)));
    let (mounts, mut journals): (Vec<Mount<()>>, Vec<_>) = recorders.into_iter().unzip();
    let handle = start(url, mounts).await;
    for journal in &mut journals {
        journal.begins().await;
    }
    (handle, journals)
}

/// The id of each connection with subscriptions, and their number.
async fn subscribed(server: &RealServer) -> Vec<(String, usize)> {
    let list = server.command(&["CLIENT", "LIST"]).await;
    let list: String = redis::from_redis_value(list).unwrap();
    let field = |line: &str, name: &str| {
        let mut fields = line.split(' ').filter_map(|field| field.split_once('='));
        let value = fields.find(|(key, _)| *key == name).expect("a field").1;
        value.to_owned()
    };
    let each = list.lines().map(|line| {
        let count = field(line, "sub").parse().unwrap();
        (field(line, "id"), count)
    });
    each.filter(|(_, count)| *count > 0).collect()
}

pub(crate) async fn a_lost_link_is_a_gap_of_the_names_on_it_only(server: RealServer) {
    let (handle, mut journals) = started(server.url()).await;
    let connections = subscribed(&server).await;
    let total: usize = connections.iter().map(|(_, names)| names).sum();
    assert_eq!((connections.len(), total), (LINKS, NAMES.len()));
    let (id, lost) = &connections[0];
    server.command(&["CLIENT", "KILL", "ID", id]).await;
    eventually_reconnected(&handle).await;
    let mut gaps = 0;
    for (name, journal) in NAMES.iter().zip(&mut journals) {
        server.command(&["PUBLISH", name, "again"]).await;
        match journal.next().await {
            Seen::Gap(_) => {
                gaps += 1;
                journal.message(name, "again").await;
            }
            message => assert_eq!(message, Seen::Message((*name).into(), "again".into())),
        }
    }
    assert_eq!(gaps, *lost);
}

async fn eventually_reconnected(handle: &Handle) {
    tests::eventually("the loss to be counted", async || {
        handle.stats().feed.reconnects == 1
    })
    .await;
    within("ready again", handle.ready()).await;
}

pub(crate) async fn every_name_of_every_link_is_back_after_an_outage(server: Server) {
    let (handle, mut journals) = started(server.url()).await;
    server.kill_connections().await;
    for journal in &mut journals {
        journal.lost_connection().await;
    }
    within("ready again", handle.ready()).await;
    for (name, journal) in NAMES.iter().zip(&mut journals) {
        server.publish(name, "again").await;
        journal.message(name, "again").await;
    }
    assert_eq!(handle.stats().feed.reconnects, LINKS as u64);
}

pub(crate) async fn a_handler_of_names_on_several_links_begins_once_and_hears_all(server: Server) {
    let names = NAMES.map(Subscription::channel);
    let spec = names
        .into_iter()
        .fold(redis_push::Spec::new("all"), redis_push::Spec::on);
    let (mount, mut journal) = recorder_of(spec);
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    for name in NAMES {
        server.publish(name, "1").await;
        journal.message(name, "1").await;
    }
    let report = handle.shutdown(Duration::from_secs(5)).await;
    assert_eq!(report.stats.handlers[0].handled, NAMES.len() as u64);
    journal.ends().await;
}

pub(crate) async fn a_shutdown_drains_every_link(server: Server) {
    let (handle, mut journals) = started(server.url()).await;
    for name in NAMES {
        server.publish(name, "last").await;
    }
    let report = handle.shutdown(Duration::from_secs(5)).await;
    for (name, journal) in NAMES.iter().zip(&mut journals) {
        journal.message(name, "last").await;
        journal.ends().await;
    }
    let handled = report.stats.handlers.iter().map(|handler| handler.handled);
    assert_eq!(handled.sum::<u64>(), NAMES.len() as u64);
    server.wait_for_subscribers_of("a", 0).await;
}

pub(crate) async fn a_number_of_links_that_is_not_possible_is_an_error() {
    for links in [0, 1_025, 100_000] {
        let error = Subscriber::new("redis://127.0.0.1:1/").links(links);
        let error = error.start().await.unwrap_err();
        assert!(error.is_config(), "{error}");
        assert!(
            error.to_string().contains(&format!("links({links})")),
            "{error}"
        );
    }
}

pub(crate) async fn the_log_line_of_a_gap_has_the_names_that_it_concerns(server: RealServer) {
    let names = NAMES.map(Subscription::channel);
    // Tests run concurrently, so the name of the handler is unique.
    let handler = format!("spread over the links of {}", server.addr());
    let spec = redis_push::Spec::new(handler.clone());
    let spec = names.into_iter().fold(spec, redis_push::Spec::on);
    let (mount, mut journal) = recorder_of(spec);
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    let topology = handle.topology();
    let links: Vec<_> = topology.nodes.iter().map(|node| node.link).collect();
    let all: Vec<_> = (1..=LINKS as u64).map(Some).collect();
    assert_eq!(links, all, "{topology}");
    let (id, lost) = &subscribed(&server).await[0];
    assert!(*lost < NAMES.len());
    server.command(&["CLIENT", "KILL", "ID", id]).await;
    journal.gap().await;
    let events = tests::overheard::events("redis_push");
    let mut of_handler = events.iter().filter(|fields| {
        fields.get("handler").is_some_and(|name| *name == handler) && fields.contains_key("gap")
    });
    let names = &of_handler.next().expect("the gap is logged")["names"];
    let logged = NAMES
        .iter()
        .filter(|name| names.contains(&format!("`{name}`")));
    assert_eq!(logged.count(), (*lost).min(5), "{names}");
}
