//! One trace over two processes' worth of handlers, as a real collector of OpenTelemetry receives it: from a
//! publisher to a handler, and from its answer to a second handler.
//!
//! The collector is `rotel-agent`, which is taken from `OTLP_COLLECTOR` or from `PATH`. Without it the tests
//! are skipped, unless `REQUIRE_COLLECTOR` is 1.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use leash::Leashed;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::trace::SdkTracerProvider;
use redis_push::tracing::subscriber::set_default;
use redis_push::{Publish, Publisher, PushMessage, Spans, Subscriber, handlers, push_handler};
use tests::eventually_in;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

use crate::open_telemetry::OpenTelemetry;
use crate::prometheus::free_port;
use crate::stage::{BOUND, is_required, on_path, server};

#[derive(PushMessage)]
#[push(channel = "orders.{shop}", trace)]
struct Order {
    shop: String,
    number: u64,
}

#[derive(PushMessage)]
#[push(channel = "receipts", trace)]
#[serde(deny_unknown_fields)]
struct Receipt {
    shop: String,
    number: u64,
}

#[push_handler]
async fn on_order(order: Order) -> Publish<Receipt> {
    let Order { shop, number } = order;
    Publish(Receipt { shop, number })
}

#[push_handler]
async fn on_receipt(receipt: Receipt) -> Result<(), String> {
    Err(format!(
        "no paper for {} of {}",
        receipt.number, receipt.shop
    ))
}

/// A span, as the collector prints it.
#[derive(Clone, Debug, Default)]
struct Span {
    trace: String,
    id: String,
    parent: String,
    kind: String,
    attributes: BTreeMap<String, String>,
    /// The traces and the spans that it is linked to.
    links: Vec<(String, String)>,
    status: String,
}

/// A collector that prints the spans it receives.
struct Collector {
    _process: Leashed,
    port: u16,
    printed: Arc<Mutex<Vec<String>>>,
}

impl Collector {
    /// Starts one, and returns when it listens. `None` if there is none.
    async fn start() -> Option<Self> {
        let named = std::env::var_os("OTLP_COLLECTOR").map(PathBuf::from);
        let Some(program) = named.or_else(|| on_path("rotel-agent")) else {
            let missing = "no rotel-agent on PATH (it is in the Python package rotel)";
            assert!(
                !is_required("REQUIRE_COLLECTOR"),
                "REQUIRE_COLLECTOR=1: {missing}"
            );
            let skipped = format!("skipped: {missing}\n");
            std::io::stderr().write_all(skipped.as_bytes()).unwrap();
            return None;
        };
        // It cannot say which ports it has chosen, so they are chosen before.
        let (port, other) = (free_port().await, free_port().await);
        let mut process = Leashed::spawn(program, |collector| {
            collector
                .arg("start")
                .arg(format!("--otlp-http-endpoint=127.0.0.1:{port}"))
                .arg(format!("--otlp-grpc-endpoint=127.0.0.1:{other}"))
                .args(["--exporter=blackhole", "--disable-batching"])
                .args(["--debug-log=traces", "--debug-log-verbosity=detailed"])
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
        })
        .unwrap();
        let printed = Arc::<Mutex<Vec<String>>>::default();
        let lines = BufReader::new(process.stdout().expect("a pipe")).lines();
        let into = Arc::clone(&printed);
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| into.lock().unwrap().push(line));
        });
        let listens = async || TcpStream::connect(("127.0.0.1", port)).is_ok();
        eventually_in(BOUND, "the collector to listen", listens).await;
        Some(Self {
            _process: process,
            port,
            printed,
        })
    }

    /// Returns what sends spans to the collector.
    fn provider(&self) -> SdkTracerProvider {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("http://127.0.0.1:{}/v1/traces", self.port))
            .build()
            .unwrap();
        SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .build()
    }

    /// The spans that it has received, by their names.
    fn spans(&self) -> BTreeMap<String, Span> {
        let mut spans = BTreeMap::new();
        let mut span = Span::default();
        let mut name = String::new();
        let mut is_link = false;
        for line in &*self.printed.lock().unwrap() {
            let line = line.trim();
            is_link = (is_link || line.starts_with("SpanLink #")) && !line.starts_with("Span #");
            if line.starts_with("Span #") {
                (span, name) = (Span::default(), String::new());
            } else if let Some((key, value)) = line.split_once(':') {
                let value = value.trim().to_owned();
                match key.trim() {
                    "-> Trace ID" if is_link => span.links.push((value, String::new())),
                    "-> ID" if is_link => {
                        if let Some((_, id)) = span.links.last_mut() {
                            *id = value;
                        }
                    }
                    "Trace ID" => span.trace = value,
                    "ID" => span.id = value,
                    "Parent ID" => span.parent = value,
                    "Name" => name = value,
                    "Kind" => span.kind = value,
                    "Status code" => span.status = value,
                    attribute => {
                        if let Some(attribute) = attribute.strip_prefix("-> ") {
                            span.attributes.insert(attribute.to_owned(), value);
                        }
                    }
                }
                spans.insert(name.clone(), span.clone());
            }
        }
        spans.remove("");
        spans
    }
}

/// Publishes an order, and returns the four spans of what follows.
async fn traced(spans: Spans) -> Option<[Span; 4]> {
    let collector = Collector::start().await?;
    let server = server().await;
    let provider = collector.provider();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("redis-push"));
    let of_ours = filter_fn(|metadata| metadata.target() == "redis_push::spans");
    // Everything runs on this thread.
    let guard = set_default(tracing_subscriber::registry().with(layer.with_filter(of_ours)));
    let spans = spans.propagator(OpenTelemetry);
    let on_orders = Subscriber::new(server.url()).spans(spans.clone());
    let on_orders = on_orders.handlers(handlers![on_order]).start();
    let on_receipts = Subscriber::new(server.url()).spans(spans.clone());
    let on_receipts = on_receipts.handlers(handlers![on_receipt]).start();
    let (on_orders, on_receipts) = (on_orders.await.unwrap(), on_receipts.await.unwrap());
    let publisher = Publisher::new(server.url()).unwrap().spans(spans);
    let order = Order {
        shop: "north".to_owned(),
        number: 7,
    };
    publisher.publish(&order).await.unwrap();
    eventually_in(BOUND, "the second handler", async || {
        on_receipts.stats().handlers[0].failed == 1
    })
    .await;
    on_orders.shutdown(BOUND).await;
    on_receipts.shutdown(BOUND).await;
    drop(guard);
    // The last spans are sent after the handlers have ended.
    let shut_down = tokio::task::spawn_blocking(move || provider.shutdown());
    shut_down.await.unwrap().unwrap();
    let names = [
        "publish orders.{shop}",
        "process orders.{shop}",
        "publish receipts",
        "process receipts",
    ];
    eventually_in(BOUND, "the spans", async || {
        let spans = collector.spans();
        names.iter().all(|name| spans.contains_key(*name))
    })
    .await;
    let mut spans = collector.spans();
    assert_eq!(spans.len(), names.len(), "{spans:#?}");
    Some(names.map(|name| spans.remove(name).unwrap()))
}

/// What is the same however the spans are related.
fn check([first, second, third, fourth]: &[Span; 4]) {
    for (span, kind, operation, name) in [
        (first, "SPAN_KIND_PRODUCER", "publish", "orders.north"),
        (second, "SPAN_KIND_CONSUMER", "process", "orders.north"),
        (third, "SPAN_KIND_PRODUCER", "publish", "receipts"),
        (fourth, "SPAN_KIND_CONSUMER", "process", "receipts"),
    ] {
        assert_eq!(span.kind, kind);
        for (attribute, value) in [
            ("messaging.system", "redis"),
            ("messaging.operation.name", operation),
            ("messaging.destination.name", name),
        ] {
            let found = span.attributes.get(attribute).map(String::as_str);
            assert_eq!(found, Some(&*format!("Str({value})")), "{attribute}");
        }
    }
    let template = second.attributes.get("messaging.destination.template");
    assert_eq!(template.map(String::as_str), Some("Str(orders.{shop})"));
    for (span, follows) in [(second, first), (fourth, third)] {
        let link = (follows.trace.clone(), follows.id.clone());
        assert_eq!(span.links, [link]);
    }
    // What is published in a delivery is a part of it.
    assert_eq!((&third.trace, &third.parent), (&second.trace, &second.id));
    assert_eq!(first.parent, "");
    let error = fourth.attributes.get("error.type").map(String::as_str);
    assert_eq!(error, Some("Str(failed)"));
}

#[tokio::test]
async fn a_collector_receives_one_trace_from_end_to_end_if_spans_are_children() {
    let Some(spans) = traced(Spans::parented()).await else {
        return;
    };
    check(&spans);
    let [first, second, third, fourth] = &spans;
    for span in &spans {
        assert_eq!(span.trace, first.trace);
    }
    assert_eq!(second.parent, first.id);
    assert_eq!(fourth.parent, third.id);
}

#[tokio::test]
async fn a_collector_receives_the_links_between_traces_if_spans_are_linked() {
    let Some(spans) = traced(Spans::linked()).await else {
        return;
    };
    check(&spans);
    let [first, second, third, fourth] = &spans;
    assert_ne!(first.trace, second.trace);
    assert_ne!(third.trace, fourth.trace);
    assert_eq!((&*second.parent, &*fourth.parent), ("", ""));
}
