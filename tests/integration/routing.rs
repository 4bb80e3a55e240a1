//! Routers: handlers of several modules with prefixes, and with their own states.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use redis_push::{
    ChannelName, FromRef, Mount, PushMessage, Router, State, Subscription, handlers, push_handler,
};
use tests::{Server, within};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::support::subscriber;

/// The journal of the handlers.
#[derive(Clone)]
struct Journal(UnboundedSender<String>);

impl Journal {
    fn new() -> (Self, UnboundedReceiver<String>) {
        let (sender, receiver) = unbounded_channel();
        (Self(sender), receiver)
    }

    fn note(&self, text: String) {
        self.0.send(text).unwrap();
    }
}

async fn noted(receiver: &mut UnboundedReceiver<String>) -> String {
    within("an entry of a handler", receiver.recv())
        .await
        .expect("a handler is alive")
}

#[derive(PushMessage)]
#[push(channel = "quotes.{symbol}.{venue*}")]
struct Quote<'a> {
    symbol: String,
    venue: &'a str,
    bid: f64,
}

#[push_handler]
async fn on_quote(quote: Quote<'_>, State(journal): State<Journal>) {
    let Quote { symbol, venue, bid } = quote;
    journal.note(format!("{symbol} {venue} {bid}"));
}

#[push_handler(pattern = "quotes.*.XETR")]
async fn on_quote_by_pattern(quote: Quote<'_>, State(journal): State<Journal>) {
    journal.note(format!("by pattern {} {}", quote.symbol, quote.venue));
}

#[push_handler(channel = "alerts")]
async fn on_alert(text: &str, name: ChannelName<'_>, State(journal): State<Journal>) {
    journal.note(format!("{text} on {}", name.as_str()));
}

#[push_handler(pattern = "logs.*")]
async fn on_log(text: &str, name: ChannelName<'_>, State(journal): State<Journal>) {
    journal.note(format!("{text} on {}", name.as_str()));
}

pub(crate) async fn a_prefix_applies_to_every_name_of_a_router(server: Server) {
    // The prefix is literal: it contains characters that mean something in globs and templates.
    const PREFIX: &str = "[eu]*{a}?\\:";
    let (journal, mut journaled) = Journal::new();
    let inner = Router::new()
        .handlers(handlers![on_quote, on_alert, on_log])
        .prefix(PREFIX);
    let router = Router::new()
        .handlers(handlers![on_alert.named("other")])
        .merge(inner)
        .prefix("test/");
    let subscriber = subscriber(server.url()).state(journal).handlers(router);
    let wiring = subscriber.wiring();
    let listens = |handler: &str| wiring.handler(handler).unwrap().subscriptions[0].clone();
    assert_eq!(
        listens("on_quote").template.unwrap(),
        "test/[eu]*{{a}}?\\:quotes.{symbol}.{venue*}"
    );
    assert_eq!(listens("other").name, "test/alerts");
    let handle = within("the start", subscriber.start()).await.unwrap();

    // A glob would match these names, and the prefix does not.
    server.publish("test/exa:logs.x", "not this").await;
    server.publish("alerts", "nor this").await;
    let full = format!("test/{PREFIX}");
    let quotes = format!("{full}quotes.ACME.a.b");
    server.publish(&quotes, r#"{"bid": 1.5}"#).await;
    assert_eq!(noted(&mut journaled).await, "ACME a.b 1.5");
    for (name, text) in [("alerts", "fire"), ("logs.x", "line")] {
        let name = format!("{full}{name}");
        server.publish(&name, text).await;
        assert_eq!(noted(&mut journaled).await, format!("{text} on {name}"));
    }
    server.publish("test/alerts", "smoke").await;
    assert_eq!(noted(&mut journaled).await, "smoke on test/alerts");
    let report = handle.shutdown(Duration::from_secs(5)).await;
    assert!(
        report
            .stats
            .handlers
            .iter()
            .all(|counts| counts.received == 1)
    );
}

const TRADES: &str = "{{trades}}.{symbol}.{venue*}";
const NOTICES: &str = "notices";

#[derive(PushMessage)]
#[push(channel = TRADES, params(symbol, venue), receive_only)]
struct Trade<'a> {
    symbol: &'a str,
    venue: &'a str,
    price: f64,
}

#[push_handler]
async fn on_trade(trade: Trade<'_>, State(journal): State<Journal>) {
    let Trade {
        symbol,
        venue,
        price,
    } = trade;
    journal.note(format!("{symbol} {venue} {price}"));
}

#[push_handler(channel = ["news", NOTICES])]
async fn on_notice(text: &str, name: ChannelName<'_>, State(journal): State<Journal>) {
    journal.note(format!("{text} on {}", name.as_str()));
}

pub(crate) async fn a_constant_is_subscribed_to_like_a_name_in_quotes(server: Server) {
    let (journal, mut journaled) = Journal::new();
    let router = Router::new()
        .handlers(handlers![on_trade, on_notice])
        .prefix("eu:");
    let subscriber = subscriber(server.url()).state(journal).handlers(router);
    let handle = within("the start", subscriber.start()).await.unwrap();
    server
        .publish("eu:{trades}.ACME.a.b", r#"{"price": 1.5}"#)
        .await;
    assert_eq!(noted(&mut journaled).await, "ACME a.b 1.5");
    for name in ["eu:news", "eu:notices"] {
        server.publish(name, "hot").await;
        assert_eq!(noted(&mut journaled).await, format!("hot on {name}"));
    }
    handle.shutdown(Duration::from_secs(5)).await;
}

pub(crate) async fn the_params_of_a_message_are_found_after_a_prefix(server: Server) {
    let (journal, mut journaled) = Journal::new();
    // These subscriptions have no template, so that of the message is used.
    let exact = Subscription::channel("quotes.ACME.NYSE");
    let mounts = handlers![
        on_quote_by_pattern.prefix("eu:").prefix("ö:"),
        on_quote.on(exact).prefix("us:"),
    ];
    let subscriber = subscriber(server.url()).state(journal).handlers(mounts);
    let handle = within("the start", subscriber.start()).await.unwrap();
    server
        .publish("ö:eu:quotes.ACME.XETR", r#"{"bid": 1}"#)
        .await;
    assert_eq!(noted(&mut journaled).await, "by pattern ACME XETR");
    server.publish("us:quotes.ACME.NYSE", r#"{"bid": 2}"#).await;
    assert_eq!(noted(&mut journaled).await, "ACME NYSE 2");
    handle.shutdown(Duration::from_secs(5)).await;
}

pub(crate) async fn a_prefix_applies_to_sharded_names(server: Server) {
    let (mount, mut journal) = crate::support::recorder("sharded", Subscription::shard("{a}.x"));
    let handle = crate::support::start(server.url(), [mount.prefix("eu:")]).await;
    journal.begins().await;
    let mut client = server.raw().await;
    client.expect("SPUBLISH eu:{a}.x one", &[":1"]).await;
    journal.message("eu:{a}.x", "one").await;
    handle.shutdown(Duration::from_secs(5)).await;
}

/// The state of a module, which is not `Clone`.
struct Shop {
    journal: Journal,
    name: &'static str,
}

/// The state of the whole program.
struct App {
    journal: Journal,
    asked: Arc<AtomicUsize>,
}

impl FromRef<App> for Shop {
    fn from_ref(app: &App) -> Self {
        app.asked.fetch_add(1, SeqCst);
        Self {
            journal: app.journal.clone(),
            name: "shop",
        }
    }
}

impl FromRef<Shop> for Journal {
    fn from_ref(shop: &Shop) -> Self {
        shop.journal.clone()
    }
}

impl FromRef<Shop> for &'static str {
    fn from_ref(shop: &Shop) -> Self {
        shop.name
    }
}

#[push_handler(channel = "shop.orders", state = Shop)]
async fn on_order(text: &str, State(name): State<&'static str>, State(journal): State<Journal>) {
    journal.note(format!("{name}: {text}"));
}

#[push_handler(channel = "shop.refunds", state = Shop)]
async fn on_refund(text: &str, State(journal): State<Journal>) {
    journal.note(format!("refund {text}"));
}

pub(crate) async fn a_router_extracts_its_state_from_a_larger_one_once(server: Server) {
    let (journal, mut journaled) = Journal::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let app = App {
        journal,
        asked: Arc::clone(&asked),
    };
    let shop: Router<Shop> = Router::new().handlers(handlers![on_order, on_refund]);
    let alone: Mount<Shop> = handlers![on_order.named("alone")].remove(0);
    let subscriber = subscriber(server.url())
        .state(app)
        .handlers(shop.for_state())
        .handlers([alone.for_state()]);
    assert_eq!(asked.load(SeqCst), 0);
    let handle = within("the start", subscriber.start()).await.unwrap();
    // Once for the router, and once for the separate mount.
    assert_eq!(asked.load(SeqCst), 2);
    for number in 0..3 {
        server.publish("shop.orders", &number.to_string()).await;
        let text = format!("shop: {number}");
        assert_eq!(noted(&mut journaled).await, text);
        assert_eq!(noted(&mut journaled).await, text);
    }
    server.publish("shop.refunds", "x").await;
    assert_eq!(noted(&mut journaled).await, "refund x");
    assert_eq!(asked.load(SeqCst), 2);
    handle.shutdown(Duration::from_secs(5)).await;
}

pub(crate) async fn a_split_router_uses_the_state_of_each_subscriber(server: Server) {
    let router: Router<Shop> = Router::new().handlers(handlers![on_order, on_refund]);
    let mut mounts = router.for_state::<App>().into_iter();
    let mut running = Vec::new();
    for _ in 0..2 {
        let (journal, journaled) = Journal::new();
        let app = App {
            journal,
            asked: Arc::default(),
        };
        let mount = mounts.next().unwrap();
        let subscriber = subscriber(server.url()).state(app).handlers([mount]);
        let handle = within("the start", subscriber.start()).await.unwrap();
        running.push((handle, journaled));
    }
    server.publish("shop.orders", "a").await;
    server.publish("shop.refunds", "b").await;
    assert_eq!(noted(&mut running[0].1).await, "shop: a");
    assert_eq!(noted(&mut running[1].1).await, "refund b");
    for (handle, _) in running {
        handle.shutdown(Duration::from_secs(5)).await;
    }
}
