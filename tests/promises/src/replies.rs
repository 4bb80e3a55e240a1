//! P18: no reply is taken for that of another command.
//!
//! A slot that leaves a node makes the server send `sunsubscribe` on its own, while commands are in
//! flight. Some names are denied. If a reply is taken for another's, the refusal of a denied name is
//! written to an allowed one, or a name counts as confirmed that the server does not have.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use redis_push::{Handle, HealthReason, Spec, Subscription};
use serde_json::json;
use tests::{Proxy, RealServer, within};
use tokio::time::sleep;

use crate::context::Context;
use crate::figure::Figure;
use crate::publisher::Publisher;
use crate::stream::recorder;

const NAMES: usize = 200;
/// Every so many names is denied.
const DENIED: usize = 10;
/// The delay of the line: commands are in flight for twice as long.
const DELAY: Duration = Duration::from_millis(5);

fn name(index: usize) -> String {
    let kind = if is_denied(index) { "no" } else { "yes" };
    format!("{kind}.{index}")
}

fn is_denied(index: usize) -> bool {
    index.is_multiple_of(DENIED)
}

pub(crate) async fn run(context: Context) {
    let rounds = context.pick(10, 100);
    let mut rng = context.rng("P18");
    let server = cluster(&context).await;
    let proxy = Proxy::start(server.addr(), context.seed).await;
    proxy.delay(DELAY);
    let spec = (0..NAMES).fold(Spec::new("shards"), |spec, index| {
        spec.on(Subscription::shard(name(index)))
    });
    let (mount, _stream) = recorder(spec);
    let url = proxy.url().replace("redis://", "redis://reader:secret@");
    let subscriber = context
        .subscriber(url)
        .reconnect_delay(Duration::from_millis(1), Duration::from_millis(10))
        .allow_denied()
        .handlers([mount]);
    let handle = within("the start", subscriber.start()).await;
    let handle = handle.expect("a start");
    let slots = slots_of_allowed(&server).await;
    let mut mistaken = Mistaken::default();
    let mut moves = 0;
    for _ in 0..rounds {
        server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        let mut publisher = Publisher::connect(server.addr()).await;
        for _ in 0..30 {
            sleep(Duration::from_micros(rng.u64(..3_000))).await;
            let slot = slots[rng.usize(..slots.len())].to_string();
            // The slot is back before another name can be refused because of it.
            publisher.command(&[b"MULTI"]);
            publisher.command(&[b"CLUSTER", b"DELSLOTS", slot.as_bytes()]);
            publisher.command(&[b"CLUSTER", b"ADDSLOTS", slot.as_bytes()]);
            publisher.flush().await.expect("a connection");
            publisher.command(&[b"EXEC"]);
            publisher.flush().await.expect("a connection");
            moves += 1;
            mistaken.look(&handle);
        }
    }
    let settled = settles(&handle, &server, &mut mistaken).await;
    let what = "refusals written to another name";
    let figure = Figure::new("P18", what, mistaken.names.len()).must_be(0);
    context.record(figure.detail(json!({
        "slots_moved": moves,
        "connections": rounds,
        "names": mistaken.names.iter().take(5).collect::<Vec<_>>(),
    })));
    let what = "names that count as confirmed and are not subscribed";
    context.record(Figure::new("P18", what, settled).must_be(0));
}

/// A cluster of one node with all slots, and a user who may not subscribe to all names.
async fn cluster(context: &Context) -> RealServer {
    let bus = TcpListener::bind(("127.0.0.1", 0)).and_then(|port| port.local_addr());
    let bus = bus.as_ref().map(SocketAddr::port).expect("a free port");
    let arguments = [
        "--cluster-enabled",
        "yes",
        "--cluster-port",
        &bus.to_string(),
        "--cluster-require-full-coverage",
        "no",
    ];
    let server = RealServer::start_with(&context.binary, &arguments).await;
    for words in [
        "CLUSTER ADDSLOTSRANGE 0 16383",
        "ACL SETUSER reader on >secret ~* resetchannels &yes.* +@all",
    ] {
        server.command(&words.split(' ').collect::<Vec<_>>()).await;
    }
    within("the cluster", async {
        loop {
            let info = server.command(&["CLUSTER", "INFO"]).await;
            let info: String = redis::from_redis_value(info).expect("text");
            if info.contains("cluster_state:ok") {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    server
}

async fn slots_of_allowed(server: &RealServer) -> Vec<u16> {
    let mut slots = Vec::new();
    for index in (0..NAMES).filter(|index| !is_denied(*index)) {
        let slot = server.command(&["CLUSTER", "KEYSLOT", &name(index)]).await;
        slots.push(redis::from_redis_value(slot).expect("a number"));
    }
    slots
}

/// Allowed names with the refusal of a denied one.
#[derive(Default)]
struct Mistaken {
    names: BTreeSet<String>,
}

impl Mistaken {
    fn look(&mut self, handle: &Handle) {
        for (name, reason) in missing(handle) {
            if name.contains("yes.") && reason.is_some_and(|reason| reason.contains("NOPERM")) {
                self.names.insert(name);
            }
        }
    }
}

/// The names that are not confirmed, with the server's reasons.
fn missing(handle: &Handle) -> Vec<(String, Option<String>)> {
    let reasons = handle.health().not_ready;
    let missing = reasons.into_iter().filter_map(|reason| match reason {
        HealthReason::NotConfirmed { missing, .. } => Some(missing),
        _ => None,
    });
    let both = missing
        .flatten()
        .map(|name| (name.subscription, name.denied));
    both.collect()
}

/// Waits until only the denied names are missing, and returns how many others the server lacks.
async fn settles(handle: &Handle, server: &RealServer, mistaken: &mut Mistaken) -> usize {
    let mut lacking = NAMES;
    for _ in 0..200 {
        sleep(Duration::from_millis(50)).await;
        mistaken.look(handle);
        let missing = missing(handle);
        let allowed = missing.iter().filter(|(name, _)| name.contains("yes."));
        // Without a reason not to be ready for a denied name, the connection is still being made.
        if missing.is_empty() || allowed.count() > 0 {
            continue;
        }
        let names: Vec<_> = (0..NAMES).filter(|index| !is_denied(*index)).collect();
        lacking = 0;
        for index in names {
            let count = server
                .command(&["PUBSUB", "SHARDNUMSUB", &name(index)])
                .await;
            let count: (String, u64) = redis::from_redis_value(count).expect("a count");
            lacking += usize::from(count.1 == 0);
        }
        if lacking == 0 {
            break;
        }
    }
    lacking
}
