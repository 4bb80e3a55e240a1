//! One handler alone, without a server.

use std::pin::pin;

use redis::aio::ConnectionLike;
use redis::{Arg, Cmd, Pipeline, RedisFuture, Value};

use super::call::Call;
use super::ledger::label;
use super::published::{Message, carries};
use crate::delivery::ending;
use crate::handler::{Handler, OutcomeKind, Spec};
use crate::probe::{Ending, Published, Subject};
use crate::publish::Publisher;
use crate::push::OwnedPush;
use crate::util::{Ended, Mutex, PanicMessage, Timer, attempt_within};
use std::sync::Arc;

/// Delivers one message to a handler, with its extractors, its timeout and its answer, without a server and
/// without tasks.
///
/// The handler is written as a value, with braces: `on_order {}`. (`on_order` alone is the function.)
///
/// ```
/// use redis_push::{Param, Publish, PushMessage, State, push_handler, testing};
///
/// #[derive(Debug, PartialEq, PushMessage)]
/// #[push(channel = "receipts.{id}")]
/// struct Receipt {
///     id: u64,
///     total: u64,
/// }
///
/// #[push_handler(channel = "orders.{id}")]
/// async fn on_order(
///     Param(id): Param<u64>,
///     prices: &str,
///     State(tax): State<u64>,
/// ) -> Result<Publish<Receipt>, std::num::ParseIntError> {
///     let total = prices.parse::<u64>()? + tax;
///     Ok(Publish(Receipt { id, total }))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let tax = 3;
/// let call = testing::deliver(on_order {}, "orders.7", "20", &tax).await;
/// call.handled().published().assert_once().with(&Receipt { id: 7, total: 23 });
///
/// testing::deliver(on_order {}, "orders.7", "much", &tax).await.failed("invalid digit");
/// testing::deliver(on_order {}, "orders.seven", "20", &tax).await.rejected("invalid digit");
/// testing::deliver(on_order {}, "orders.7.paid", "20", &tax).await.unmatched();
/// # }
/// ```
///
/// What the handler publishes is recorded, and has no receivers. The subscriber's mount is not known here:
/// the names are those of the handler's attribute. There is one attempt, without [layers](crate::Layer) and
/// without repetitions; with a [`TestKit`](super::TestKit) there are both.
///
/// # Panics
///
/// Panics if none of the handler's subscriptions would carry a message on this channel.
#[track_caller]
pub fn deliver<S, H: Handler<S>>(
    handler: H,
    channel: impl AsRef<[u8]>,
    payload: impl AsRef<[u8]>,
    state: &S,
) -> impl Future<Output = Call> {
    let spec = handler.spec();
    let channel = channel.as_ref();
    let subscriptions = spec.subscriptions.iter();
    let Some(subscription) = subscriptions.clone().find(|one| carries(one, channel)) else {
        let names: Vec<_> = subscriptions.map(ToString::to_string).collect();
        panic!(
            "{} receives nothing on `{}`; it listens to {}",
            spec.label(),
            channel.escape_ascii(),
            names.join(", ")
        );
    };
    let recorder = Recorder::default();
    let push = OwnedPush::new(subscription.clone(), channel, payload)
        .with_publisher(Publisher::over(recorder.clone()));
    async move {
        let ending = run(&handler, &spec, &push, state).await;
        let published = std::mem::take(&mut *recorder.0.lock());
        let label = label(subject(&spec));
        let published = published.into_iter().map(|(is_shard, channel, payload)| {
            let message = Published {
                channel: &channel,
                prefix_len: 0,
                payload: &payload,
                is_shard,
                problem: None,
            };
            Message::new(&message, Some(label.clone()))
        });
        let published = published.collect();
        Call::new(label.clone(), push, ending).with_published(published)
    }
}

fn subject(spec: &Spec) -> Subject<'_> {
    Subject {
        name: &spec.name,
        place: spec.place,
        on_gap: spec.on_gap.as_deref(),
    }
}

async fn run<S, H: Handler<S>>(handler: &H, spec: &Spec, push: &OwnedPush, state: &S) -> Ending {
    if !push.as_push().is_of_template() {
        return Ending::Unmatched;
    }
    let make = || handler.handle(push.as_push(), state);
    let slot = pin!(None);
    let ended = attempt_within(spec.timeout, &mut Timer::default(), slot, make).await;
    match ended {
        Ended::Returned(result) => {
            let outcome = OutcomeKind::of(&result);
            ending(outcome, result.err().as_ref(), &PanicMessage::default())
        }
        Ended::Panicked(message) => ending(OutcomeKind::Panicked, None, &message),
        Ended::TimedOut => Ending::TimedOut,
    }
}

/// A connection that records what is published over it.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Recorded>>>);

/// Whether the channel is sharded, the channel, and the payload.
type Recorded = (bool, Vec<u8>, Vec<u8>);

impl Recorder {
    /// Takes the words of a command, because the commands of a pipeline are a type of their own in
    /// redis-rs 2.0.
    fn record<'c>(&self, command: impl Iterator<Item = Arg<&'c [u8]>>) -> Value {
        let mut words = command.filter_map(|word| match word {
            Arg::Simple(word) => Some(word.to_vec()),
            _ => None,
        });
        let name = words.next().unwrap_or_default();
        if let (Some(channel), Some(payload)) = (words.next(), words.next()) {
            self.0.lock().push((name == b"SPUBLISH", channel, payload));
        }
        // The number of receivers.
        Value::Int(0)
    }
}

impl ConnectionLike for Recorder {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        let reply = self.record(command.args_iter());
        Box::pin(async move { Ok(reply) })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        _offset: usize,
        _count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let commands = commands.cmd_iter();
        let replies = commands.map(|command| self.record(command.args_iter()));
        let replies = replies.collect();
        Box::pin(async move { Ok(replies) })
    }

    fn get_db(&self) -> i64 {
        0
    }
}
