//! Every fault that happens while secrets are in use.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use redis_push::{
    Fault, FromPush, Gap, Handle, Handler, Json, Mount, Push, Spec, Subscriber, Subscription, redis,
};
use tests::{Proxy, RealServer, Way, within};
use tokio::time::sleep;

use crate::capture::chain;
use crate::context::{Context, unready};
use crate::panics::ASKED;
use crate::publisher::Publisher;
use crate::subject::Subject;

pub(crate) const USER: &str = "canary-user-7a1c";
pub(crate) const PASSWORD: &str = "canary-password-93be";
pub(crate) const ROTATED: &str = "canary-rotated-0d42";
pub(crate) const PAYLOAD: &str = "canary-payload-e8f6";

/// A handler that fails in the way that the payload names.
struct Bad {
    spec: Spec,
    has_failed_gap: AtomicBool,
}

impl Bad {
    fn mount(name: &'static str) -> Mount<()> {
        Mount::new(Self {
            spec: Spec::new(name).on(Subscription::channel(name)).buffer(4),
            has_failed_gap: AtomicBool::new(false),
        })
    }
}

impl Handler<()> for Bad {
    fn spec(&self) -> Spec {
        self.spec.clone()
    }

    async fn handle(&self, push: Push<'_>, state: &()) -> Result<(), Fault> {
        match push.payload().first() {
            Some(b'p') => panic!("{ASKED}"),
            Some(b'f') => Err(Fault::failed("asked to fail")),
            Some(b's') => {
                sleep(Duration::from_millis(5)).await;
                Ok(())
            }
            _ => {
                let Json(_number) = Json::<u64>::from_push(push, state)?;
                Ok(())
            }
        }
    }

    async fn handle_gap(&self, _gap: &Gap, _state: &()) -> Result<(), Fault> {
        if self.has_failed_gap.fetch_xor(true, Relaxed) {
            Ok(())
        } else {
            Err(Fault::failed("asked to fail"))
        }
    }
}

/// Causes everything that the library logs, and returns everything that can be printed.
pub(crate) async fn every_fault(context: &Context) -> String {
    let mut printed = String::new();
    let server = context.server().await;
    add_user(&server, PASSWORD).await;
    bad_starts(context, &server, &mut printed).await;
    let proxy = Proxy::start(server.addr(), context.seed).await;
    let url = format!("redis://{USER}:{PASSWORD}@{}/", proxy.addr());
    let mount = Bad::mount("bad");
    printed += &format!("{mount:?}\n");
    let subscriber = context
        .subscriber(&url)
        .ping(Duration::from_millis(200), Duration::from_millis(200))
        .connect_timeout(Duration::from_millis(500))
        .reconnect_delay(Duration::from_millis(10), Duration::from_millis(100))
        .handlers([mount]);
    printed += &format!("{subscriber:?} {subscriber:#?}\n");
    let handle = within("the start", subscriber.start())
        .await
        .expect("a start");
    let mut pushes = handle.pushes();
    deliveries(&server, &handle).await;
    while let Ok(Some(push)) = pushes.try_recv() {
        printed += &format!("{push:?}\n");
    }
    connections(&server, &proxy, &handle).await;
    proxy.refuse(true);
    proxy.reset();
    printed += &format!("{handle:?}\n");
    let report = within("the shutdown", handle.shutdown(Duration::from_millis(100))).await;
    let json = serde_json::to_string(&report).expect("JSON");
    printed += &format!("{report} {report:?} {json}\n{}\n", handle.stats());
    printed
}

async fn add_user(server: &RealServer, password: &str) {
    let password = format!(">{password}");
    let words = [
        "ACL", "SETUSER", USER, "reset", "on", &password, "+@all", "~*", "&*",
    ];
    server.command(&words).await;
}

/// Runs starts that cannot succeed, and prints the errors and a few values.
async fn bad_starts(context: &Context, server: &RealServer, printed: &mut String) {
    let addr = server.addr();
    let urls = [
        format!("redis://{USER}:{ROTATED}@{addr}/"),
        format!("redis://{USER}:{PASSWORD}@{addr}/?protocol=resp2"),
        format!("redis://{USER}:{PASSWORD}@{addr}/999999"),
        format!("redis://{USER}:{PASSWORD}#x@{addr}/"),
        format!("redis://{USER}:{PASSWORD}/x@{addr}/"),
        format!("redis://{USER}:{PASSWORD}?x@{addr}/"),
        format!("redis://{USER}:{PASSWORD}@{addr}/not-a-number"),
        format!("redis://{USER}:{PASSWORD}@127.0.0.1:not-a-port/"),
        format!("redis://{USER}:{PASSWORD}@127.0.0.1:1/"),
        format!("rediss://{USER}:{PASSWORD}@{addr}/"),
        format!("http://{USER}:{PASSWORD}@{addr}/"),
        format!("{USER}:{PASSWORD}@{addr}"),
        format!("redis+unix:///nowhere.sock?user={USER}&pass={PASSWORD}"),
    ];
    for url in urls {
        let subscriber = context.subscriber(url);
        bad_start(subscriber, printed).await;
    }
    // The same with a client of redis-rs.
    let settings = redis::RedisConnectionInfo::default()
        .set_username(USER)
        .set_password(ROTATED);
    let addr = redis::ConnectionAddr::Tcp(addr.ip().to_string(), addr.port());
    let info = redis::IntoConnectionInfo::into_connection_info(addr).expect("an address");
    let client = redis::Client::open(info.set_redis_settings(settings)).expect("a client");
    let subscriber = Subscriber::with_client(client);
    bad_start(
        match context.subject {
            Subject::Wire => subscriber.wire(),
            _ => subscriber,
        },
        printed,
    )
    .await;
}

async fn bad_start(subscriber: Subscriber, printed: &mut String) {
    let bad = Bad::mount("unstarted");
    let subscriber = subscriber
        .start_deadline(Duration::from_millis(150))
        .handlers([bad]);
    *printed += &format!("{subscriber:?}\n");
    let error = within("the start", subscriber.start())
        .await
        .expect_err("no start");
    *printed += &chain(&error);
    printed.push('\n');
}

/// Makes deliveries end in every way, with payloads that must not be printed.
async fn deliveries(server: &RealServer, handle: &Handle) {
    let mut publisher = Publisher::connect(server.addr()).await;
    for round in 0..40 {
        // More at once than the small buffer holds.
        for kind in ["panic", "fail", "sleep", "json"] {
            let payload = match kind {
                "json" => format!("\"{PAYLOAD}\""),
                kind => format!("{kind} {PAYLOAD}"),
            };
            publisher.publish("bad", payload.as_bytes());
        }
        if round % 10 == 0 {
            publisher.fence().await;
            // Failed deliveries are logged at most once a second.
            sleep(Duration::from_millis(300)).await;
        }
    }
    publisher.fence().await;
    within("every delivery", async {
        loop {
            let stats = handle.stats();
            if stats.handlers[0].queued + stats.handlers[0].running == 0 {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Loses the connection in every way, with credentials that must not be printed.
async fn connections(server: &RealServer, proxy: &Proxy, handle: &Handle) {
    server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    again(handle).await;
    proxy.reset();
    again(handle).await;
    for line in [
        "-LOADING Redis is loading",
        "-NOAUTH Authentication required.",
        "+nonsense",
    ] {
        proxy.answer(Some(line));
        proxy.reset();
        unready(handle).await;
        sleep(Duration::from_millis(200)).await;
        proxy.answer(None);
        again(handle).await;
    }
    for way in [Way::ToClient, Way::ToServer] {
        proxy.black_hole(way, true);
        unready(handle).await;
        proxy.black_hole(way, false);
        again(handle).await;
    }
    // The password changes, then the channel is denied, then the user is lost in a crash.
    add_user(server, ROTATED).await;
    proxy.reset();
    unready(handle).await;
    sleep(Duration::from_millis(300)).await;
    add_user(server, PASSWORD).await;
    again(handle).await;
    server
        .command(&["ACL", "SETUSER", USER, "resetchannels"])
        .await;
    unready(handle).await;
    sleep(Duration::from_millis(300)).await;
    server
        .command(&["ACL", "SETUSER", USER, "-ping", "-subscribe"])
        .await;
    proxy.reset();
    sleep(Duration::from_millis(300)).await;
    add_user(server, PASSWORD).await;
    again(handle).await;
    server.stop().await;
    unready(handle).await;
    server.start_again().await;
    sleep(Duration::from_millis(300)).await;
    add_user(server, PASSWORD).await;
    again(handle).await;
}

/// Waits until everything is subscribed again.
async fn again(handle: &Handle) {
    // The subscriber may not have noticed the loss yet.
    sleep(Duration::from_millis(30)).await;
    within("ready again", handle.ready()).await;
}
