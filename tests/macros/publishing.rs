use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use redis_push::redis::aio::ConnectionLike;
use redis_push::redis::{Cmd, Pipeline, RedisFuture, Value};
use redis_push::{
    BoxError, Codec, Error, FromPush, OwnedPush, Param, Publish, Publishable, Publisher,
    PushMessage, Subscription, Text, ToPayload, push_handler,
};
use serde::{Deserialize, Serialize};

use crate::{deliver, template};

/// JSON after a first byte.
enum Marked {}

impl Codec for Marked {
    fn decode<'p, T: Deserialize<'p>>(payload: &'p [u8]) -> Result<T, BoxError> {
        let json = payload.strip_prefix(b"!").ok_or("not marked")?;
        Ok(serde_json::from_slice(json)?)
    }

    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, BoxError> {
        let mut payload = b"!".to_vec();
        serde_json::to_writer(&mut payload, value)?;
        Ok(payload)
    }
}

/// A message that can be generated at random, and decoded again.
trait Sample: Sized + Debug + PartialEq {
    fn sample(random: &mut Rng) -> Self;
    fn read(push: &OwnedPush) -> Result<Self, redis_push::Rejection>;
    /// Whether the params fit into the name of a channel.
    fn fits(&self) -> bool {
        true
    }
}

macro_rules! reads {
    () => {
        fn read(push: &OwnedPush) -> Result<Self, redis_push::Rejection> {
            <Self as FromPush<'_, ()>>::from_push(push.as_push(), &())
        }
    };
}

/// Text of up to six characters, some of which mean something in templates, globs or JSON.
fn word(random: &mut Rng) -> String {
    const CHARS: [char; 16] = [
        'a', 'Z', '0', '_', '-', '.', ':', '/', '@', '{', '"', '\\', '*', 'é', '\n', '漢',
    ];
    let len = random.usize(0..=6);
    (0..len)
        .map(|_| CHARS[random.usize(..CHARS.len())])
        .collect()
}

fn plain_word(random: &mut Rng) -> String {
    (0..random.usize(1..=6))
        .map(|_| random.alphanumeric())
        .collect()
}

fn any_word(random: &mut Rng) -> String {
    if random.bool() {
        word(random)
    } else {
        plain_word(random)
    }
}

fn fits_a_param(text: &str) -> bool {
    !text.is_empty() && !text.contains(['.', ':', '/'])
}

macro_rules! quote_by {
    ($name:ident, $channel:literal $(, $codec:path)?) => {
        #[derive(Debug, PartialEq, PushMessage)]
        #[push(channel = $channel $(, codec = $codec)?)]
        struct $name {
            symbol: String,
            venue: String,
            bid: i64,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            note: Option<String>,
            #[serde(rename = "type")]
            kind: (u8, bool),
        }

        impl Sample for $name {
            fn sample(random: &mut Rng) -> Self {
                Self {
                    symbol: any_word(random),
                    venue: any_word(random),
                    bid: random.i64(..),
                    note: random.bool().then(|| word(random)),
                    kind: (random.u8(..), random.bool()),
                }
            }
            fn fits(&self) -> bool {
                // The `@` after the symbol ends the param.
                fits_a_param(&self.symbol)
                    && !self.symbol.chars().skip(1).any(|c| c == '@')
                    && !self.venue.is_empty()
            }
            reads!();
        }
    };
}

quote_by!(JsonQuote, "quotes.{symbol}@{venue*}");
quote_by!(PackedQuote, "packed.{symbol}@{venue*}", msgpack);
quote_by!(MarkedQuote, "marked.{symbol}@{venue*}", Marked);

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "rooms.{room}.{sensor}", codec = text)]
struct Reading {
    room: u32,
    sensor: String,
    value: i32,
}

impl Sample for Reading {
    fn sample(random: &mut Rng) -> Self {
        Self {
            room: random.u32(..),
            sensor: any_word(random),
            value: random.i32(..),
        }
    }
    fn fits(&self) -> bool {
        fits_a_param(&self.sensor)
    }
    reads!();
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(shard = "{frames}", codec = bytes)]
struct Frame(Vec<u8>);

impl Sample for Frame {
    fn sample(random: &mut Rng) -> Self {
        Self((0..random.usize(0..40)).map(|_| random.u8(..)).collect())
    }
    reads!();
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = ["events", "old-events"], tag = "type")]
#[serde(rename_all = "snake_case")]
enum Event {
    SignedIn { user: u64 },
    Said { user: u64, text: String },
    Stopped,
}

impl Sample for Event {
    fn sample(random: &mut Rng) -> Self {
        match random.u8(0..3) {
            0 => Self::SignedIn {
                user: random.u64(..),
            },
            1 => Self::Said {
                user: random.u64(..),
                text: word(random),
            },
            _ => Self::Stopped,
        }
    }
    reads!();
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "wrapped", codec = msgpack)]
struct Wrapped<T> {
    id: u64,
    body: Vec<T>,
}

impl Sample for Wrapped<String> {
    fn sample(random: &mut Rng) -> Self {
        Self {
            id: random.u64(..),
            body: (0..random.usize(0..4)).map(|_| word(random)).collect(),
        }
    }
    reads!();
}

fn agrees<M: Sample + Publishable>(random: &mut Rng) {
    let message = M::sample(random);
    let channel = match message.to_channel() {
        Ok(channel) => channel,
        Err(error) => {
            assert!(error.is_encode() && !message.fits(), "{message:?}: {error}");
            return;
        }
    };
    assert!(message.fits(), "{message:?} on {channel:?}");
    let payload = message.to_payload().unwrap();
    let by = M::SUBSCRIPTIONS[0].clone();
    let push = OwnedPush::new(by, channel, payload);
    assert_eq!(M::read(&push).unwrap(), message);
}

#[test]
fn a_handler_reads_what_a_publisher_of_the_same_type_writes() {
    for seed in 0..10_000 {
        let agreed = std::panic::catch_unwind(|| {
            let random = &mut Rng::with_seed(seed);
            agrees::<JsonQuote>(random);
            agrees::<PackedQuote>(random);
            agrees::<MarkedQuote>(random);
            agrees::<Reading>(random);
            agrees::<Frame>(random);
            agrees::<Event>(random);
            agrees::<Wrapped<String>>(random);
        });
        assert!(agreed.is_ok(), "with seed {seed}");
    }
}

#[test]
fn a_type_says_where_it_is_published() {
    assert_eq!(JsonQuote::template(), "quotes.{symbol}@{venue*}");
    assert_eq!(Event::template(), "events");
    let reading = |sensor: &str| Reading {
        room: 7,
        sensor: sensor.into(),
        value: 0,
    };
    assert_eq!(reading("door").to_channel().unwrap(), "rooms.7.door");
    let error = reading("front.door").to_channel().unwrap_err();
    assert!(error.is_encode());
    assert_eq!(
        error.to_string(),
        "`Reading` cannot be published: the param `sensor` is \"front.door\", which could not be \
         read back from a channel `rooms.{room}.{sensor}`; `{sensor*}` in its place takes `.`, `:` \
         and `/` too"
    );
    assert_eq!(Event::SUBSCRIPTIONS.len(), 2);
    assert_eq!(JsonQuote::CODEC, "json");
    assert_eq!(MarkedQuote::CODEC, "Marked");
}

#[derive(Debug, PushMessage)]
#[push(channel = "names.{id}", codec = text)]
struct Name<'a> {
    id: &'a str,
    name: Cow<'a, str>,
}

#[test]
fn text_borrows_from_the_payload() {
    let push = OwnedPush::new(template("names.{id}"), "names.7", "Ada");
    let name = <Name<'_> as FromPush<'_, ()>>::from_push(push.as_push(), &()).unwrap();
    assert!(matches!(name.name, Cow::Borrowed("Ada")));
    assert_eq!(name.id, "7");
}

/// A message that cannot be encoded, and is only received.
#[derive(Debug, Deserialize)]
struct Opaque;

#[derive(Debug, PushMessage)]
#[push(channel = "opaque")]
struct OnlyRead {
    #[serde(default)]
    _opaque: Option<Opaque>,
}

#[test]
fn a_message_whose_fields_cannot_be_written_can_be_received() {
    let push = OwnedPush::new(OnlyRead::SUBSCRIPTIONS[0].clone(), "opaque", "{}");
    <OnlyRead as FromPush<'_, ()>>::from_push(push.as_push(), &()).unwrap();
}

/// A connection that records what is published, and replies that there are two receivers.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<u8>>>);

impl ConnectionLike for Recorder {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        self.0.lock().unwrap().extend(command.get_packed_command());
        Box::pin(async { Ok(Value::Int(2)) })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        _offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.0
            .lock()
            .unwrap()
            .extend(commands.get_packed_pipeline());
        Box::pin(async move { Ok(vec![Value::Int(2); count]) })
    }

    fn get_db(&self) -> i64 {
        0
    }
}

impl Recorder {
    fn said(&self) -> String {
        let said = std::mem::take(&mut *self.0.lock().unwrap());
        String::from_utf8(said).unwrap().replace("\r\n", " ")
    }
}

#[tokio::test]
async fn the_channel_comes_from_the_template_and_the_rest_is_encoded() {
    let recorder = Recorder::default();
    let publisher = Publisher::over(recorder.clone());
    let reading = |value| Reading {
        room: 7,
        sensor: "door".into(),
        value,
    };
    assert_eq!(publisher.publish(&reading(3)).await.unwrap(), 2);
    assert_eq!(recorder.said(), "*3 $7 PUBLISH $12 rooms.7.door $1 3 ");
    publisher.publish(&Frame(b"abc".to_vec())).await.unwrap();
    assert_eq!(recorder.said(), "*3 $8 SPUBLISH $8 {frames} $3 abc ");
    publisher
        .publish_to("elsewhere", &reading(4))
        .await
        .unwrap();
    assert_eq!(recorder.said(), "*3 $7 PUBLISH $9 elsewhere $1 4 ");
    let both = [reading(5), reading(6)];
    assert_eq!(publisher.publish_all(&both).await.unwrap(), [2, 2]);
    let said = recorder.said();
    assert!(
        said.contains("$1 5 *3") && said.ends_with("$1 6 "),
        "{said}"
    );
    let none: [Reading; 0] = [];
    assert_eq!(publisher.publish_all(&none).await.unwrap(), [0; 0]);
    assert_eq!(recorder.said(), "");
}

#[tokio::test]
async fn nothing_is_sent_when_one_of_many_cannot_be_written() {
    let recorder = Recorder::default();
    let publisher = Publisher::over(recorder.clone());
    let reading = |sensor: &str| Reading {
        room: 7,
        sensor: sensor.into(),
        value: 0,
    };
    let some = [reading("door"), reading("")];
    assert!(publisher.publish_all(&some).await.unwrap_err().is_encode());
    let error: Error = publisher.publish_to("", "text").await.unwrap_err();
    assert!(error.is_encode());
    assert_eq!(recorder.said(), "");
}

#[derive(PushMessage)]
#[push(channel = "answers.{id}", codec = text)]
struct Answer {
    id: u64,
    text: String,
}

#[push_handler(channel = "questions.{id}")]
async fn always(Param(id): Param<u64>, text: &str) -> Publish<Answer> {
    let text = text.to_uppercase();
    Publish(Answer { id, text })
}

#[push_handler(channel = "questions.{id}")]
async fn perhaps(
    Param(id): Param<u64>,
    Text(text): Text<String>,
) -> Result<Option<Publish<Answer>>, Error> {
    Ok((id > 0).then_some(Publish(Answer { id, text })))
}

#[push_handler(channel = "questions.{id}")]
async fn by_hand(Param(id): Param<u64>, text: &str, publisher: Publisher) -> Result<(), Error> {
    for copy in 0..id {
        publisher.publish_to(format!("copies.{copy}"), text).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_return_value_of_a_handler_is_published() {
    let recorder = Recorder::default();
    let ask = async |handler: &str, id: u64| {
        let push = OwnedPush::new(template("questions.{id}"), format!("questions.{id}"), "why")
            .with_publisher(Publisher::over(recorder.clone()));
        let push = push.as_push();
        use redis_push::Handler;
        match handler {
            "always" => always {}.handle(push, &()).await,
            "perhaps" => perhaps {}.handle(push, &()).await,
            _ => by_hand {}.handle(push, &()).await,
        }
    };
    ask("always", 1).await.unwrap();
    assert_eq!(recorder.said(), "*3 $7 PUBLISH $9 answers.1 $3 WHY ");
    ask("perhaps", 0).await.unwrap();
    assert_eq!(recorder.said(), "");
    ask("perhaps", 2).await.unwrap();
    assert_eq!(recorder.said(), "*3 $7 PUBLISH $9 answers.2 $3 why ");
    ask("by_hand", 2).await.unwrap();
    assert_eq!(
        recorder.said(),
        "*3 $7 PUBLISH $8 copies.0 $3 why *3 $7 PUBLISH $8 copies.1 $3 why "
    );
}

#[tokio::test]
async fn an_answer_without_a_publisher_is_an_error_of_the_handler() {
    let by = template("questions.{id}");
    let failed = deliver(always {}, &(), by, "questions.1", "why")
        .await
        .unwrap_err();
    assert!(failed.to_string().contains("no publisher"), "{failed}");
    let by = Subscription::channel("questions.1");
    let rejected = deliver(always {}, &(), by, "questions.1", "why")
        .await
        .unwrap_err();
    assert!(rejected.to_string().contains("no param `id`"), "{rejected}");
}

/// A message with fields whose types differ only in a lifetime.
#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "mixed.{one}.{other}")]
struct Mixed<'a, 'b> {
    one: Cow<'a, str>,
    other: Cow<'static, str>,
    first: Cow<'a, str>,
    second: Cow<'b, str>,
    third: Cow<'static, str>,
}

#[test]
fn types_with_lifetimes_can_be_written() {
    let mixed = Mixed {
        one: "1".into(),
        other: "2".into(),
        first: "a".into(),
        second: "b".into(),
        third: "c".into(),
    };
    let payload = mixed.to_payload().unwrap();
    let push = OwnedPush::new(
        Mixed::SUBSCRIPTIONS[0].clone(),
        mixed.to_channel().unwrap(),
        payload,
    );
    let read = <Mixed<'_, '_> as FromPush<'_, ()>>::from_push(push.as_push(), &()).unwrap();
    assert_eq!(read, mixed);
}

/// A recursive message with a variant that cannot be encoded.
#[derive(Debug, PartialEq, PushMessage, Serialize, Deserialize)]
#[push(channel = "comments")]
struct Comment {
    text: String,
    replies: Vec<Self>,
}

#[derive(Debug, PartialEq)]
struct Silent;

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "forms")]
#[expect(dead_code, reason = "the form that is skipped is never made")]
enum Form {
    Said {
        text: String,
    },
    #[serde(skip)]
    Kept(Silent),
}

#[test]
fn a_message_may_hold_itself_and_skip_a_form() {
    let reply = Comment {
        text: "b".into(),
        replies: Vec::new(),
    };
    let comment = Comment {
        text: "a".into(),
        replies: vec![reply],
    };
    let payload = comment.to_payload().unwrap().into_owned();
    let push = OwnedPush::new(Comment::SUBSCRIPTIONS[0].clone(), "comments", payload);
    let read = <Comment as FromPush<'_, ()>>::from_push(push.as_push(), &()).unwrap();
    assert_eq!(read, comment);
    let said = Form::Said { text: "x".into() };
    assert_eq!(
        said.to_payload().unwrap(),
        br#"{"Said":{"text":"x"}}"#.as_slice()
    );
}

#[push_handler(channel = "hidden")]
async fn hides(text: &str) -> Result<Publish<Answer>, impl std::error::Error + use<>> {
    let text = text.to_owned();
    Ok::<_, std::io::Error>(Publish(Answer { id: 1, text }))
}

#[tokio::test]
async fn an_answer_may_have_an_error_of_a_type_that_is_not_named() {
    let recorder = Recorder::default();
    let push = OwnedPush::new(Subscription::channel("hidden"), "hidden", "x")
        .with_publisher(Publisher::over(recorder.clone()));
    redis_push::Handler::handle(&hides {}, push.as_push(), &())
        .await
        .unwrap();
    assert_eq!(recorder.said(), "*3 $7 PUBLISH $9 answers.1 $1 x ");
}

#[tokio::test]
async fn a_value_goes_to_a_sharded_channel_by_its_name() {
    let recorder = Recorder::default();
    let publisher = Publisher::over(recorder.clone());
    publisher.publish_to_shard("{a}", "x").await.unwrap();
    assert_eq!(recorder.said(), "*3 $8 SPUBLISH $3 {a} $1 x ");
}

#[derive(PushMessage)]
#[push(pattern = "logs.*", codec = text)]
struct Log(String);

#[tokio::test]
async fn a_message_goes_to_an_address_of_its_type() {
    let recorder = Recorder::default();
    let publisher = Publisher::over(recorder.clone());
    let reading = Reading {
        room: 7,
        sensor: "door".into(),
        value: 3,
    };
    let elsewhere = Reading::at(8, "*").prefix("eu:");
    publisher.publish_to(&elsewhere, &reading).await.unwrap();
    assert_eq!(recorder.said(), "*3 $7 PUBLISH $12 eu:rooms.8.* $1 3 ");
    publisher.publish_to(elsewhere, &reading).await.unwrap();
    assert_eq!(recorder.said(), "*3 $7 PUBLISH $12 eu:rooms.8.* $1 3 ");
    let frame = Frame(b"abc".to_vec());
    publisher.publish_to(Frame::at(), &frame).await.unwrap();
    assert_eq!(recorder.said(), "*3 $8 SPUBLISH $8 {frames} $3 abc ");
    let event = Event::Stopped;
    publisher.publish_to(Event::at_any(), &event).await.unwrap();
    let said = recorder.said();
    assert!(said.starts_with("*3 $7 PUBLISH $6 events "), "{said}");
}

#[tokio::test]
async fn nothing_is_published_at_an_address_that_is_not_one_channel() {
    let recorder = Recorder::default();
    let publisher = Publisher::over(recorder.clone());
    let reading = Reading {
        room: 7,
        sensor: "door".into(),
        value: 3,
    };
    let log = Log("x".into());
    let errors = [
        publisher.publish_to(Reading::at(7, "a.b"), &reading).await,
        publisher.publish_to(Reading::at_any(), &reading).await,
        publisher.publish_to(Log::at_any(), &log).await,
    ];
    let parts = ["`sensor` is \"a.b\"", "`rooms.{room}.{sensor}`", "`logs.*`"];
    for (error, part) in errors.into_iter().zip(parts) {
        let error = error.unwrap_err();
        assert!(error.is_encode(), "{error}");
        assert!(
            error.to_string().contains(part),
            "{part} is not in: {error}"
        );
    }
    assert_eq!(recorder.said(), "");
}
