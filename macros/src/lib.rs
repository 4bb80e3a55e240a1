//! Procedural macros for `redis-push`.
//!
//! The crate `redis-push` re-exports them; use them from there.
//!
//! - [`macro@push_handler`] turns an async function into a handler of pushes.
//! - [`macro@gap_handler`] turns an async function into a handler of gaps.
//! - [`handlers!`] mounts handlers by name.
//! - [`derive@PushMessage`] turns a type into a message that names its channel.
//!
//! The macros are a convenience: the same code can be written by hand with the public types of
//! `redis-push`.

mod ast;
mod attr;
mod errors;
mod expand;
#[cfg(test)]
mod snapshots;
mod spans;

use proc_macro::TokenStream;

/// Turns an async function into a push handler.
///
/// The options say what the handler listens to. Each argument is extracted from the push or from
/// the state, by its type.
///
/// ```
/// use redis_push::{ChannelName, Json, Mount, State, handlers, push_handler};
///
/// #[derive(Clone)]
/// struct Db;
///
/// #[push_handler(channel = "orders.{region}", buffer = 1024)]
/// async fn on_order(
///     Json(items): Json<Vec<&str>>,
///     channel: ChannelName<'_>,
///     State(db): State<Db>,
/// ) -> Result<(), std::io::Error> {
///     println!("{items:?} on {}", channel.as_str());
///     # drop::<Db>(db);
///     Ok(())
/// }
///
/// let mounts: Vec<Mount<Db>> = handlers![on_order];
/// ```
///
/// The macro does not change the function, so a unit test can call it. If a handler is never
/// mounted, the compiler warns: `function on_order is never used`.
///
/// # Options
///
/// | option | meaning |
/// | --- | --- |
/// | `channel = "orders"` | listens to one channel |
/// | `channel = "orders.{id}"` | listens to every channel that matches a template with params |
/// | `pattern = "orders.*"` | listens to every channel that matches a glob, by the rules of the server |
/// | `shard = "orders"` | listens to one sharded channel; the name is used unchanged |
/// | `keyspace = "user:{id}"` | listens to events of the keys that match a template, in every database; the handler takes a `KeyEvent`, or the event's name as text |
/// | `invalidate = "user:"` | listens to changes of the keys with this prefix, so that a cache can drop them; the handler takes an `Invalidation` |
/// | `connection` | listens to events of the connection; the handler takes a `ConnectionEvent` |
/// | `channel = ["orders", "refunds"]` | listens to each entry of a list; the other kinds, except `connection`, take lists too |
/// | `buffer = 1024` | the number of messages that can wait for the handler (default 65,536) |
/// | `buffer_bytes = 65536` | the number of bytes that these messages can have in total (default 8 MiB) |
/// | `overflow = "latest"` | which message is dropped when the buffer is full: `"drop_oldest"` (the default), `"drop_newest"`, or `"latest"`, which keeps only the newest message of each channel |
/// | `timeout = "5s"` | how long one delivery can take (`ms`, `s`, `m`, `h`); after that it is cancelled and counted as `timed_out` |
/// | `workers = 4` | how many deliveries can run at once (default 1) |
/// | `ordered_by = symbol` | the param of the channel, or the field of the payload, whose equal values are delivered in order although there are several workers; in quotes if the name in the payload is not an identifier |
/// | `stall_limit = "30s"` | how long one delivery can run before the handler is reported as stalled |
/// | `required` | makes the subscriber not ready while this handler is stalled |
/// | `on_gap = resync` | the [`gap_handler`](macro@gap_handler) that runs when messages may have been missed |
/// | `state = App` | takes the arguments from this state type only |
/// | `crate = path` | the path of `redis_push`, if the crate is renamed or re-exported |
///
/// At most one option can say what to listen to. Without one, the handler listens to what its
/// message type names. With one, it overrides the message type; a template must then contain the
/// params that the message type is filled from.
///
/// In a template, `{name}` matches one or more characters other than `.`, `:` and `/`. `{name*}`
/// matches the rest of the name and must be last. `{{` and `}}` are literal braces. A param has the
/// name of the field or argument that it fills; for the raw identifier `r#type` this is `{type}`.
///
/// In a `channel` without params, `*` would have no special meaning and is refused. `invalidate`
/// takes a key prefix, which has no params.
///
/// ## Examples of options
///
/// Each kind of name to listen to: a channel, a template, a list, a pattern, a sharded channel, key
/// events, invalidations and the connection.
///
/// ```
/// use redis_push::{ChannelName, ConnectionEvent, Invalidation, KeyEvent, MatchedPattern, Param};
/// use redis_push::push_handler;
///
/// #[push_handler(channel = "alerts")]
/// async fn on_alert(text: &str) {
///     println!("{text}");
/// }
///
/// #[push_handler(channel = "rooms.{room}.{path*}")] // `rooms.7.door.state`
/// async fn on_room(Param(room): Param<u32>, Param(path): Param<&str>, text: &str) {
///     println!("{room} {path}: {text}");
/// }
///
/// #[push_handler(channel = ["orders.{id}", "refunds.{id}"])]
/// async fn on_money(Param(id): Param<u64>, name: ChannelName<'_>) {
///     println!("{id} by {}", name.as_str());
/// }
///
/// #[push_handler(pattern = "log.[we]*")]
/// async fn on_log(text: &str, glob: MatchedPattern<'_>, name: ChannelName<'_>) {
///     println!("{} by {}: {text}", name.as_str(), glob.as_str());
/// }
///
/// #[push_handler(shard = "{user:7}.inbox")]
/// async fn on_inbox(text: &str) {
///     println!("{text}");
/// }
///
/// #[push_handler(keyspace = "user:{id}")]
/// async fn on_user(event: KeyEvent<'_>, Param(id): Param<u64>) {
///     println!("user {id}: {}", event.event);
/// }
///
/// #[push_handler(invalidate = "user:")]
/// async fn forget(changed: Invalidation<'_>) {
///     println!("forget {changed:?}"); // a key that begins with `user:`, or all of them
/// }
///
/// #[push_handler(connection)]
/// async fn on_connection(event: ConnectionEvent<'_>) {
///     println!("{event:?}");
/// }
/// # let _ = redis_push::handlers![on_alert, on_room, on_money, on_log, on_inbox, on_user, forget]
/// #     as Vec<redis_push::Mount<()>>;
/// # let _ = redis_push::handlers![on_connection] as Vec<redis_push::Mount<()>>;
/// ```
///
/// Limits: how many messages can wait, which are dropped, and how many deliveries run at once and
/// for how long.
///
/// ```
/// use redis_push::{Bytes, PushMessage, push_handler};
///
/// #[derive(PushMessage)]
/// #[push(channel = "quotes.{symbol}")]
/// struct Quote {
///     symbol: String,
///     bid: f64,
/// }
///
/// #[push_handler(overflow = "latest")] // only the newest of each symbol counts
/// async fn show(quote: Quote) {
///     println!("{} {}", quote.symbol, quote.bid);
/// }
///
/// #[push_handler(workers = 8, ordered_by = symbol, timeout = "5s")]
/// async fn store(quote: Quote) -> Result<(), std::io::Error> {
///     println!("{} {}", quote.symbol, quote.bid);
///     Ok(())
/// }
///
/// #[push_handler(
///     channel = "frames",
///     buffer = 64,
///     buffer_bytes = 67108864,
///     overflow = "drop_newest",
/// )]
/// async fn on_frame(frame: Bytes) {
///     println!("{} bytes", frame.len());
/// }
///
/// #[push_handler(channel = "heartbeat", stall_limit = "2s", required)]
/// async fn on_heartbeat() {}
/// # let _ = redis_push::handlers![show, store, on_frame, on_heartbeat]
/// #     as Vec<redis_push::Mount<()>>;
/// ```
///
/// A gap handler, and a handler for one state type.
///
/// ```
/// use redis_push::{Gap, State, gap_handler, push_handler};
///
/// #[derive(Clone)]
/// struct App;
///
/// #[gap_handler(state = App)]
/// async fn reload(gap: Gap, State(app): State<App>) {
///     println!("{gap}");
///     # drop::<App>(app);
/// }
///
/// // `state` is needed for an extractor that is implemented for one state type only.
/// #[push_handler(channel = "changes", on_gap = reload, state = App, crate = redis_push)]
/// async fn on_change(key: &str, State(app): State<App>) {
///     println!("{key}");
///     # drop::<App>(app);
/// }
/// # let _: Vec<redis_push::Mount<App>> = redis_push::handlers![on_change];
/// ```
///
/// # Arguments
///
/// Arguments can have any type that implements `FromPush`, in any order. At most one of them is the
/// message: a `#[derive(PushMessage)]` type, `Json<T>`, `Text<T>`, `Bytes`, `&[u8]`, `&str`,
/// `KeyEvent`, `Invalidation` or `ConnectionEvent`, or an `Option` or `Result<_, Rejection>` of one
/// of these.
///
/// Arguments can borrow from the push, which lives as long as the call. Elided and named lifetimes
/// both work: `async fn on_x<'a>(text: &'a str, name: ChannelName<'a>)`. Type parameters and
/// `impl Trait` do not, because handlers are mounted by name and nothing would determine the types.
///
/// `Param(id): Param<u64>` takes the value of `{id}` in the channel name. The argument must have
/// the name of the param; the macro checks this.
///
/// What an argument requires of the state is checked where the handler is mounted. A handler needs
/// `state = App` in two cases: if it takes an extractor of yours that is implemented for one state
/// type only, and if it takes something from the state and is collected by the feature `collect` of
/// `redis-push`, which finds handlers without a list.
///
/// # Return types
///
/// A handler returns `()`, or `Result<(), E>` where `E` converts into `BoxError`. An error is
/// counted and logged, and the handler continues with the next message.
///
/// To answer, a handler returns `Publish<T>`: the message is published on the channel of its type.
/// `Option<Publish<T>>` answers if there is a value. A `Result` of either is possible too.
///
/// ```
/// use redis_push::{Mount, Publish, PushMessage, handlers, push_handler};
///
/// #[derive(PushMessage)]
/// #[push(channel = "jobs.{id}")]
/// struct Job {
///     id: u64,
///     input: Vec<f64>,
/// }
///
/// #[derive(PushMessage)]
/// #[push(channel = "results.{id}")]
/// struct JobResult {
///     id: u64,
///     sum: f64,
/// }
///
/// #[push_handler(workers = 4)]
/// async fn on_job(job: Job) -> Option<Publish<JobResult>> {
///     let sum = job.input.iter().sum();
///     (!job.input.is_empty()).then_some(Publish(JobResult { id: job.id, sum }))
/// }
///
/// let mounts: Vec<Mount<()>> = handlers![on_job];
/// ```
///
/// # Expansion
///
/// ```
/// # use redis_push::{Json, push_handler};
/// #[push_handler(channel = "numbers")]
/// async fn on_number(Json(number): Json<u32>) {
///     println!("{number}");
/// }
/// ```
///
/// becomes the same function and a type with the same name, which `handlers!` mounts. Written with
/// the public types of `redis-push`, the type is:
///
/// ```
/// # use redis_push::{Fault, FromPush, Handler, Json, Push, Spec, Subscription};
/// # async fn on_number(Json(number): Json<u32>) { println!("{number}"); }
/// #[allow(non_camel_case_types)]
/// struct on_number {}
///
/// impl<S: Sync> Handler<S> for on_number
/// where
///     for<'p> Json<u32>: FromPush<'p, S>,
/// {
///     fn spec(&self) -> Spec {
///         Spec::new("on_number")
///             .at(file!(), line!())
///             .on(Subscription::channel("numbers"))
///     }
///
///     async fn handle(&self, push: Push<'_>, state: &S) -> Result<(), Fault> {
///         on_number(FromPush::from_push(push, state)?).await;
///         Ok(())
///     }
/// }
/// ```
///
/// The expansion also contains a constant that checks each argument at its own position, whether
/// the handler is mounted or not. Because the type has the name of the function, no other type or
/// module in the same scope can have that name.
#[proc_macro_attribute]
pub fn push_handler(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::handler::expand(args.into(), item.into()).into()
}

/// Turns an async function into a gap handler, for the option `on_gap` of a
/// [`push_handler`](macro@push_handler).
///
/// A gap is a period in which messages may have been missed. The gap handler runs after each gap,
/// and once before the first message, with the cause `Initial`. It is the place to load the data
/// that the messages keep up to date. If it fails, it runs again, with backoff, before any further
/// message is delivered.
///
/// ```
/// use redis_push::{Gap, Mount, State, gap_handler, handlers, push_handler};
///
/// #[derive(Clone)]
/// struct Cache;
///
/// impl Cache {
///     async fn reload(&self) -> Result<(), std::io::Error> {
///         Ok(())
///     }
/// }
///
/// #[gap_handler]
/// async fn resync(gap: Gap, State(cache): State<Cache>) -> Result<(), std::io::Error> {
///     println!("{gap}");
///     cache.reload().await
/// }
///
/// #[push_handler(channel = "changes", on_gap = resync)]
/// async fn on_change(key: &str, State(cache): State<Cache>) {
///     println!("{key}");
///     # drop::<Cache>(cache);
/// }
///
/// let mounts: Vec<Mount<Cache>> = handlers![on_change];
/// ```
///
/// Arguments can be `Gap` or `&Gap`, `State<T>`, and any other type that implements `FromGap`.
/// There is no message to take. The return type is `()` or `Result<(), E>`, as for a push handler.
/// The options are `state = App` and `crate = path`, with the same meaning as there.
#[proc_macro_attribute]
pub fn gap_handler(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::gap_handler::expand(args.into(), item.into()).into()
}

/// Creates a `Vec<Mount<S>>` from handlers, for `Subscriber::handlers`.
///
/// The state type `S` is inferred.
///
/// ```
/// use redis_push::{Mount, Subscription, handlers, push_handler};
///
/// #[push_handler(channel = "orders")]
/// async fn on_order(text: &str) {
///     println!("{text}");
/// }
///
/// mod alerts {
///     use redis_push::push_handler;
///
///     #[push_handler(channel = "alerts")]
///     pub async fn on_alert(text: &str) {
///         println!("{text}");
///     }
/// }
///
/// let name = String::from("orders.staging");
/// let mounts: Vec<Mount<()>> = handlers![
///     on_order.on(Subscription::channel(name)),
///     alerts::on_alert,
/// ];
/// assert_eq!(mounts.len(), 2);
/// ```
///
/// An element is the path of a handler, optionally followed by calls of methods of `Mount`. Any
/// other expression must be a `Mount` itself, such as `Mount::new(MyHandler { .. })`. The list can
/// be empty. `handlers![crate = path; a, b]` sets the path of `redis_push`.
#[proc_macro]
pub fn handlers(elements: TokenStream) -> TokenStream {
    expand::handlers::expand(elements.into()).into()
}

/// Implements `PushMessage` and the traits to receive and publish a type.
///
/// The type names its channel. A handler takes it as an argument, and a `Publisher` publishes it.
///
/// ```
/// use redis_push::{Mount, PushMessage, handlers, push_handler};
///
/// #[derive(PushMessage)]
/// #[push(channel = "quotes.{symbol}")]
/// struct Quote<'a> {
///     symbol: &'a str,
///     bid: f64,
///     ask: f64,
/// }
///
/// #[push_handler]
/// async fn on_quote(quote: Quote<'_>) {
///     println!("{} {:.2}/{:.2}", quote.symbol, quote.bid, quote.ask);
/// }
///
/// let mounts: Vec<Mount<()>> = handlers![on_quote];
/// ```
///
/// The type needs no serde derive, and your crate does not need to depend on serde. The exception
/// is a type that contains itself, such as in a `Vec` of its own type: it needs serde's derives in
/// addition to this one.
///
/// # Channels
///
/// `#[push(..)]` takes one of the options `channel`, `pattern` and `shard`, and any of the others.
/// `crate = path` sets the path of `redis_push`, if the crate is renamed or re-exported.
///
/// | option | meaning |
/// | --- | --- |
/// | `channel = "orders"` | one channel |
/// | `channel = "orders.{id}"` | a template: the field `id` is part of the channel name |
/// | `pattern = "orders.*"` | a glob, by the rules of the server; without params |
/// | `shard = "{orders}.eu"` | one sharded channel; the name is used unchanged |
/// | `channel = ["orders", "refunds"]` | each channel of a list, with the same params; messages are published on the first |
/// | `codec = json` | the encoding of the payload: see [below](#payload) |
/// | `tag = "type"` | the field of the payload that names the variant of an enum, as in `#[serde(tag = "type")]` |
/// | `receive_only` | the type cannot be published, so its fields need not be serializable |
///
/// The trait's function `Quote::template()` returns the text of the first channel. If that channel
/// has params, the derive adds a function to the type: `Quote::channel_for("ACME")` returns the
/// name of the channel with these params, in the order of the template.
///
/// # Fields
///
/// A field with the name of a param is filled from the channel name. `&str` and `Cow<str>` borrow
/// its text; every other type is parsed by `FromStr`. A field of that name in the payload is
/// ignored, or refused if the type has `deny_unknown_fields`. If a channel does not match the
/// template, the message is counted as `unmatched`, whatever its payload.
///
/// All other fields are in the payload. If there are none, the payload is not read, and an empty
/// one is published. Structs, tuple structs and enums are read and written as by serde's derives;
/// params need a struct with named fields. The type can have lifetimes and type parameters.
///
/// # Payload
///
/// | codec | payload |
/// | --- | --- |
/// | `json` | JSON; the default |
/// | `text` | the text of the one field that is not in the channel name, by `FromStr` and `Display`; `&str` and `Cow<str>` borrow. An enum is parsed as a whole |
/// | `bytes` | the bytes of the one field that is not in the channel name: `&[u8]`, `Cow<[u8]>`, `Vec<u8>` or `Bytes` |
/// | `msgpack` | MessagePack; needs the feature `msgpack` |
/// | `path::to::MyCodec` | whatever your own `Codec` reads and writes |
///
/// ```
/// use redis_push::PushMessage;
///
/// #[derive(PushMessage)]
/// #[push(channel = "rooms.{room}.temperature", codec = text)]
/// struct Temperature {
///     room: u32,
///     celsius: f64,
/// }
///
/// assert_eq!(Temperature::channel_for(7)?, "rooms.7.temperature");
///
/// #[derive(PushMessage)]
/// #[push(channel = "events", tag = "type")]
/// enum Event {
///     SignedIn { user: u64 },
///     SignedOut { user: u64 },
/// }
/// # Ok::<(), redis_push::Error>(())
/// ```
///
/// A published message is received as an equal value, with three exceptions in JSON:
///
/// - The last digit of a fractional number can change. The feature `float_roundtrip` of serde_json
///   prevents this.
/// - A number that is infinite or NaN is not received.
/// - `Some(None)` in an `Option<Option<T>>` is received as `None`.
///
/// ## Requirements for publishing
///
/// A type with a `channel` or a `shard` can be published if its fields can be written: by serde's
/// `Serialize`, or by `Display` with `codec = text`. A type with a `pattern` names no single
/// channel and is published with `publish_to`. The compiler checks these requirements only where
/// the type is published, so a type that is only received does not need them.
///
/// A param is written by `Display`. If its text could not be read back, because it is empty or
/// contains a separator, publishing fails with an error.
///
/// ## Borrowing
///
/// Prefer `Cow<'a, str>` to `&'a str` for text in JSON: `&'a str` rejects a JSON string with an
/// escape in it. The derive adds `#[serde(borrow)]` to each field whose type mentions a lifetime of
/// the message. Serde then borrows in a field of the type `Cow<'a, str>`, and copies in one of the
/// type `Option<Cow<'a, str>>`.
///
/// # Serde attributes
///
/// The derive honors `#[serde(..)]` on the type, its variants and its fields: `rename`,
/// `rename_all`, `alias`, `default`, `borrow`, `flatten`, `with`, `deserialize_with`,
/// `serialize_with`, `skip`, `skip_serializing_if`, `tag`, `content`, `untagged`, `transparent`,
/// `deny_unknown_fields` and others.
///
/// - On a field that a param fills, these attributes have no effect.
/// - If the module of a `with` can only deserialize, use `deserialize_with` instead, or
///   `receive_only`.
/// - `default` on the type needs an implementation of `Default` for the type, as in serde.
/// - `from`, `try_from`, `into`, `remote`, `crate` and `bound` on the type are refused.
///
/// ```
/// use redis_push::PushMessage;
///
/// #[derive(PushMessage)]
/// #[push(channel = "presence.{room}")]
/// #[serde(rename_all = "camelCase", deny_unknown_fields)]
/// struct Presence {
///     room: u32,
///     user_name: String,
///     #[serde(default)]
///     is_away: bool,
/// }
/// ```
#[proc_macro_derive(PushMessage, attributes(push, serde))]
pub fn push_message(input: TokenStream) -> TokenStream {
    expand::message::expand(input.into()).into()
}
