//! P12: secrets are never printed, whatever fault happens, with everything logged.

use std::thread;

use serde_json::json;

use crate::capture::Capture;
use crate::context::Context;
use crate::exposure::{PASSWORD, PAYLOAD, ROTATED, USER, every_fault};
use crate::figure::Figure;
use crate::panics;

pub(crate) async fn run(context: Context) {
    let (sender, ended) = tokio::sync::oneshot::channel();
    // Only logs of one thread are captured, so all tasks of the run are on that thread.
    let whole = context.clone();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let capture = Capture::default();
        let printed = tracing::subscriber::with_default(capture.clone(), || {
            runtime.expect("a runtime").block_on(every_fault(&whole))
        });
        let _ = sender.send((capture, printed));
    });
    let (capture, printed) = ended.await.expect("the run ends well");
    let logged = capture.text();
    let panics = panics::unexpected();
    for (what, secrets, is_secret) in [
        ("passwords printed", &[PASSWORD, ROTATED][..], true),
        ("payloads printed", &[PAYLOAD][..], true),
        // A server may name the user in its reason for denying a subscription.
        ("user names printed", &[USER][..], false),
    ] {
        let hits = |text: &str| -> usize {
            secrets
                .iter()
                .map(|secret| text.matches(secret).count())
                .sum()
        };
        let (logs, rest, panics) = (hits(&logged), hits(&printed), hits(&panics));
        let first = logged
            .lines()
            .chain(printed.lines())
            .find(|line| hits(line) > 0);
        let figure = Figure::new("P12", what, logs + rest + panics);
        let figure = if is_secret { figure.must_be(0) } else { figure };
        context.record(figure.detail(json!({
            "in_logs": logs,
            "in_errors_debug_and_stats": rest,
            "in_panics": panics,
            "events_at_trace": capture.events(),
            "bytes_logged": logged.len(),
            "bytes_printed": printed.len(),
            "first": first,
        })));
    }
}
