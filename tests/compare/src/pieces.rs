//! The steps on the way of a push, each on its own: without a link, without a scheduler, and with
//! handlers that do not decode, or that share what is decoded once. The seed pattern runs in the same
//! setting, for comparison.

use std::fmt;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use redis::{PushInfo, PushKind, Value};
use redis_push::__bench::{RoutingTable, Shared, Way, convert, message, pattern_message};
use redis_push::{Fault, FromPush, Handler, Json, Push, Spec, Subscription};
use tokio::sync::broadcast::{self, Receiver};

use crate::payload::{self, Quote, SMALL};
use crate::peers::BUFFER;

/// How many pushes arrive in a burst before handlers run.
const BURST: usize = 64;
const CHANNEL: &str = "quotes.ACME";

/// A piece of work that can be run any number of times.
pub struct Piece {
    /// The name in results.
    pub name: &'static str,
    /// The unit of a step, such as `message`.
    pub step: &'static str,
    /// How many steps a run has.
    pub steps: u64,
    start: Box<dyn Fn() -> Run>,
}

/// Runs a piece once with each call. The state lives across calls.
pub type Run = Box<dyn FnMut()>;

impl Piece {
    fn new<R: FnMut() + 'static>(
        name: &'static str,
        step: &'static str,
        steps: usize,
        start: impl Fn() -> R + 'static,
    ) -> Self {
        Self {
            name,
            step,
            steps: steps as u64,
            start: Box::new(move || Box::new(start())),
        }
    }

    /// Prepares the piece.
    #[must_use]
    pub fn start(&self) -> Run {
        (self.start)()
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Piece").field(&self.name).finish()
    }
}

/// All pieces, in the order in which a push passes them.
#[must_use]
pub fn all() -> Vec<Piece> {
    vec![
        Piece::new("copying a push", "message", BURST, || {
            let push = push();
            move || (0..BURST).for_each(|_| drop(black_box(push.clone())))
        }),
        Piece::new("decoding", "message", BURST, || {
            let payload = payload();
            move || {
                for _ in 0..BURST {
                    let quote = serde_json::from_slice::<Quote>(black_box(&payload));
                    black_box(quote).expect("it decodes");
                }
            }
        }),
        Piece::new("conversion", "message", BURST, || {
            let push = push();
            move || (0..BURST).for_each(|_| convert(black_box(&push)))
        }),
        Piece::new("route, one of 1,000", "message", 1_000, || {
            let channels: Vec<String> = (0..1_000).map(|n| format!("quotes.{n:04}")).collect();
            let table = RoutingTable::new(channels.iter().cloned());
            move || {
                for channel in &channels {
                    assert_eq!(table.broadcasts(black_box(channel)), 1);
                }
            }
        }),
        Piece::new("broadcast, 1 reader", "delivery", BURST, || broadcast(1)),
        Piece::new("broadcast, 8 readers", "delivery", 8 * BURST, || {
            broadcast(8)
        }),
        Piece::new("way, 1 handler", "delivery", BURST, || way(1, BURST)),
        Piece::new("way, 8 handlers", "delivery", 8 * BURST, || way(8, BURST)),
        Piece::new("way, 100 handlers", "delivery", 100 * BURST, || {
            way(100, BURST)
        }),
        Piece::new("way, 1 handler, timed", "delivery", BURST, || {
            way_of(Way::timed([Look]), push(), BURST)
        }),
        Piece::new("way, 8 handlers, one by one", "delivery", 8, || way(8, 1)),
        Piece::new("shared, 8 handlers", "delivery", 8 * BURST, || sharing(8)),
        Piece::new("shared, 100 handlers", "delivery", 100 * BURST, || {
            sharing(100)
        }),
        Piece::new("template, 100 handlers", "delivery", 100 * BURST, || {
            let looks = (0..100).map(|_| LookByTemplate);
            way_of(Way::new(looks), push_by_template(), BURST)
        }),
        Piece::new(
            "shared by template, 100 handlers",
            "delivery",
            100 * BURST,
            || {
                let shares = (0..100).map(|_| Share(by_template()));
                way_of(Way::new(shares), push_by_template(), BURST)
            },
        ),
        Piece::new("seed, 1 handler", "delivery", BURST, || seed(1, BURST)),
        Piece::new("seed, 8 handlers", "delivery", 8 * BURST, || seed(8, BURST)),
        Piece::new("seed, 100 handlers", "delivery", 100 * BURST, || {
            seed(100, BURST)
        }),
        Piece::new("seed, 8 handlers, one by one", "delivery", 8, || seed(8, 1)),
    ]
}

fn payload() -> Vec<u8> {
    let mut bytes = Vec::new();
    payload::write(&mut bytes, 0, SMALL);
    bytes
}

fn push() -> PushInfo {
    message(CHANNEL, &payload())
}

fn broadcast(readers: usize) -> impl FnMut() {
    let payload = payload();
    let mut shared = Shared::new(readers);
    move || {
        (0..BURST).for_each(|_| shared.append(black_box(&payload)));
        assert_eq!(shared.take(), readers * BURST);
    }
}

/// The whole way: from the push sender of a connection manager to the handlers.
fn way(handlers: usize, burst: usize) -> impl FnMut() {
    way_of(Way::new((0..handlers).map(|_| Look)), push(), burst)
}

fn way_of(mut way: Way, push: PushInfo, burst: usize) -> impl FnMut() {
    move || {
        (0..burst).for_each(|_| way.push(black_box(&push)));
        way.deliver();
    }
}

/// A handler that only looks at the payload.
struct Look;

impl Handler<()> for Look {
    fn spec(&self) -> Spec {
        Spec::new("look").on(Subscription::channel(CHANNEL))
    }

    async fn handle(&self, push: Push<'_>, _state: &()) -> Result<(), Fault> {
        black_box(push.payload());
        Ok(())
    }
}

/// The same by a template.
struct LookByTemplate;

impl Handler<()> for LookByTemplate {
    fn spec(&self) -> Spec {
        Spec::new("look").on(by_template())
    }

    async fn handle(&self, push: Push<'_>, _state: &()) -> Result<(), Fault> {
        black_box(push.payload());
        Ok(())
    }
}

/// The whole way to handlers that share what the first of them decodes.
fn sharing(handlers: usize) -> impl FnMut() {
    let shares = (0..handlers).map(|_| Share(Subscription::channel(CHANNEL)));
    way_of(Way::new(shares), push(), BURST)
}

/// A handler that shares the decoded message with the others.
struct Share(Subscription);

impl Handler<()> for Share {
    fn spec(&self) -> Spec {
        Spec::new("share").on(self.0.clone())
    }

    async fn handle(&self, push: Push<'_>, _state: &()) -> Result<(), Fault> {
        let quote: Arc<Json<Quote>> = Arc::from_push(push, &())?;
        black_box(&quote);
        Ok(())
    }
}

fn by_template() -> Subscription {
    Subscription::template("quotes.{symbol}").expect("it is a template")
}

fn push_by_template() -> PushInfo {
    pattern_message(by_template().name(), CHANNEL, &payload())
}

/// The whole way with a broadcast channel as the push sender, whose receivers filter it. The channel
/// takes an owned push, which costs a copy here.
fn seed(handlers: usize, burst: usize) -> impl FnMut() {
    let push = push();
    let (sender, _) = broadcast::channel(BUFFER.get());
    let mut loops: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
    for _ in 0..handlers {
        loops.push(Box::pin(pick(sender.subscribe())));
    }
    move || {
        for _ in 0..burst {
            sender.send(black_box(&push).clone()).expect("a receiver");
        }
        for picking in &mut loops {
            let _ = picking
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

async fn pick(mut pushes: Receiver<PushInfo>) {
    while let Ok(push) = pushes.recv().await {
        if push.kind == PushKind::Message
            && let [Value::BulkString(name), Value::BulkString(payload)] = push.data.as_slice()
            && name == CHANNEL.as_bytes()
        {
            black_box(payload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_runs_more_than_once() {
        for piece in all() {
            let mut run = piece.start();
            (0..3).for_each(|_| run());
        }
    }
}
