//! P13: a server that cannot prove its identity gets no data.

use std::time::Duration;

use redis_push::{Error, Handle, Mount, Subscriber, Tls};
use serde_json::json;
use tests::{Authority, TlsProxy, within};

use crate::context::Context;
use crate::figure::Figure;
use crate::stream::{Lane, Stream, recorder};

pub(crate) async fn run(context: Context) {
    let server = context.server().await;
    let ours = Authority::new("ours");
    let mut wrong = vec![
        ("another authority", Authority::new("other").server()),
        ("expired", ours.expired()),
        ("not valid yet", ours.not_yet_valid()),
        ("another name", ours.server_named("elsewhere.example")),
    ];
    let rounds = context.pick(1, 10);
    let mut connected = Vec::new();
    let mut tried = 0;
    for _ in 0..rounds {
        for (what, certificate) in &mut wrong {
            let proxy = TlsProxy::start(server.addr(), certificate).await;
            let started = start(&context, proxy.url(), Some(&ours)).await;
            tried += 1;
            if started.is_ok() || proxy.established() > 0 {
                connected.push(*what);
            }
        }
        // The certificate is valid, but its authority is not trusted here.
        let proxy = TlsProxy::start(server.addr(), &ours.server()).await;
        let started = start(&context, proxy.url(), None).await;
        tried += 1;
        if started.is_ok() || proxy.established() > 0 {
            connected.push("unknown authority");
        }
        // The server's own port speaks no TLS.
        let plain = server.url().replace("redis://", "rediss://");
        tried += 1;
        if start(&context, plain, Some(&ours)).await.is_ok() {
            connected.push("plaintext port");
        }
    }
    let figure = Figure::new(
        "P13",
        "connections to servers without a valid certificate",
        connected.len(),
    );
    let detail = json!({"tried": tried, "connected": connected});
    context.record(figure.must_be(0).detail(detail));
    let proxy = TlsProxy::start(server.addr(), &ours.server()).await;
    let right = start(&context, proxy.url(), Some(&ours)).await;
    let figure = Figure::new(
        "P13",
        "connections to a server with a valid certificate",
        u64::from(right.is_ok()),
    );
    context.record(figure.must_be(1));
}

async fn start(
    context: &Context,
    url: String,
    trusted: Option<&Authority>,
) -> Result<Handle, Error> {
    let (mount, _) = mount();
    let subscriber: Subscriber = context
        .subscriber(url)
        .start_deadline(Duration::from_secs(1));
    let subscriber = match trusted {
        Some(authority) => subscriber.tls(Tls::new().root_certificate(authority.pem())),
        None => subscriber,
    };
    within("the start", subscriber.handlers([mount]).start()).await
}

fn mount() -> (Mount<()>, Stream) {
    recorder(Lane::channel("secure").spec())
}
