//! The macros of `redis-push`, which re-exports them: use them from there.
//!
//! - [`macro@push_handler`] makes an async function a handler of pushes.
//! - [`macro@gap_handler`] makes an async function a handler of gaps.
//! - [`handlers!`] mounts handlers by their names.
//! - [`derive@PushMessage`] makes a type a message that names its channel.
//!
//! What they write could be written by hand with the public types of `redis-push`.

mod args;
mod codec;
mod decode;
mod duration;
mod encode;
mod errors;
mod fallback;
mod gap_handler;
mod handler;
mod impls;
mod listen;
mod message;
mod mount;
mod overflow;
mod serde_attrs;
mod signature;
#[cfg(test)]
mod snapshots;
mod spans;
mod template;
mod types;
mod wire;

use proc_macro::TokenStream;

/// Makes an async function a handler: what it listens to, and how its arguments are taken.
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
/// The function stays as it is: a unit test calls it. One that is never mounted is the compiler's
/// warning `function on_order is never used`.
///
/// # Options
///
/// | option | meaning |
/// | --- | --- |
/// | `channel = "orders"` | listens to one channel |
/// | `channel = "orders.{id}"` | listens to every channel of that form: a template with params |
/// | `pattern = "orders.*"` | listens to what a glob matches, by the server's rules |
/// | `shard = "orders"` | listens to one sharded channel; the name is taken as it is |
/// | `keyspace = "user:{id}"` | listens to what happens to the keys of that form, in every database; the handler takes a `KeyEvent`, or the event's name as text |
/// | `invalidate = "user:"` | listens to changes of the keys that begin so, for a cache to forget them; the handler takes an `Invalidation` |
/// | `connection` | listens to the connection: the handler takes a `ConnectionEvent` |
/// | `channel = ["orders", "refunds"]` | listens to each of a list; so do the other kinds |
/// | `buffer = 1024` | how many messages may wait for the handler (default 65,536) |
/// | `buffer_bytes = 65536` | how many bytes of them (default 8 MiB) |
/// | `overflow = "latest"` | what goes when the buffer is full: `"drop_oldest"` (the default), `"drop_newest"`, or `"latest"`, which keeps the newest message of each channel only |
/// | `timeout = "5s"` | how long one delivery may take (`ms`, `s`, `m`, `h`); then it is dropped and counted `timed_out` |
/// | `workers = 4` | how many deliveries may run at once (default 1) |
/// | `ordered_by = symbol` | the param of the channel, or field of the payload, whose messages stay in order among several workers; in quotes where the name in the payload is no identifier |
/// | `stall_limit = "30s"` | how long one delivery may go on before the handler is named as stalled |
/// | `required` | lets the subscriber be ready only while this handler is not stalled |
/// | `on_gap = resync` | the [`gap_handler`](macro@gap_handler) that is told what was missed |
/// | `state = App` | takes the arguments from this state only |
/// | `crate = path` | where `redis_push` is, if it is renamed or re-exported |
///
/// Of the options that say what to listen to one is set, or none: the handler then listens to what
/// its message type names. One that is set goes before the type's; a template must then have the
/// params that the type is filled from.
///
/// In a template, whose params are named like fields and arguments (`{type}` for `r#type`), `{name}`
/// takes one or more characters other than `.`, `:` and `/`; `{name*}`, at
/// the end, takes the rest; `{{` and `}}` are braces. In a `channel` without params `*` has no
/// meaning, so it is refused. `invalidate` takes the beginning of the keys, without params.
///
/// ## Each of them
///
/// What to listen to: a channel, a template, a list, a pattern, a sharded channel, keys by what
/// happens to them or to forget them, the connection.
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
/// How much may wait, what goes when it is more, how many run, and for how long.
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
/// #[push_handler(channel = "frames", buffer = 64, buffer_bytes = 67108864, overflow = "drop_newest")]
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
/// What is told of gaps, and whose state it is.
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
/// // An extractor that is written for one state asks for it here.
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
/// An argument is of any type that is `FromPush`, in any order, and at most one is the message: a
/// `#[derive(PushMessage)]` type, `Json<T>`, `Text<T>`, `Bytes`, `&[u8]`, `&str`,
/// `KeyEvent`, `Invalidation` or `ConnectionEvent`, or an `Option` or `Result<_, Rejection>` of one.
/// They may borrow from the push, which lives as long as the call:
/// elided lifetimes and named ones (`async fn on_x<'a>(text: &'a str, name: ChannelName<'a>)`) both
/// do. Type parameters and `impl Trait` do not: nothing would say what they are.
///
/// `Param(id): Param<u64>` takes what `{id}` stands for in the channel's name: the argument is named
/// like the param, which is checked here.
///
/// What an argument needs of the state is checked where the handler is mounted. An extractor of
/// your own that is written for one state needs `state = App` here; so does a handler that takes
/// something from a state and is to be collected (the feature `collect` of `redis-push`, which
/// finds handlers without a list).
///
/// # Returns
///
/// `()`, or `Result<(), E>` with an `E` that converts into `BoxError`: an error is counted and
/// logged, and the handler lives on. `Publish<T>` answers: the message is published on the channel
/// of its type. So do `Option<Publish<T>>`, where it is there, and a `Result` of either.
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
/// becomes the same function, and beside it a type of its name that `handlers!` can mount. In
/// terms of the public types:
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
/// A constant beside it checks each argument where it is written, mounted or not. As the type has
/// the function's name, no other type or module beside it may have it.
#[proc_macro_attribute]
pub fn push_handler(args: TokenStream, item: TokenStream) -> TokenStream {
    handler::expand(args.into(), item.into()).into()
}

/// Makes an async function a handler of gaps, for `on_gap` of a
/// [`push_handler`](macro@push_handler).
///
/// It runs once before the first message, with the cause `Initial`, and after every span in which
/// messages may have been missed: the place to load what the messages keep up to date. A run that
/// fails is repeated with backoff before any further delivery.
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
/// Arguments are `Gap` or `&Gap`, `State<T>`, and what is `FromGap`; there is no message to take.
/// The return type is that of a push handler. The options are `state = App` and `crate = path`, as
/// there.
#[proc_macro_attribute]
pub fn gap_handler(args: TokenStream, item: TokenStream) -> TokenStream {
    gap_handler::expand(args.into(), item.into()).into()
}

/// Mounts handlers: a `Vec<Mount<S>>` for `Subscriber::handlers`, of which `S` is inferred.
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
/// An element is a handler's path, or the path with methods of `Mount` behind it. Any other
/// expression is taken for a `Mount` as it is: `Mount::new(MyHandler { .. })`. The list may be
/// empty. `handlers![crate = path; a, b]` says where `redis_push` is.
#[proc_macro]
pub fn handlers(elements: TokenStream) -> TokenStream {
    mount::expand(elements.into()).into()
}

/// Makes a type a message: it names its channel, a handler takes it as an argument, and a
/// `Publisher` publishes it.
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
/// The type needs no serde derive, and the crate no serde; only a type that holds itself, such as a
/// `Vec` of its own kind, needs serde's derives beside this one.
///
/// # Where it is published
///
/// `#[push(..)]` takes one of these, and `crate = path` where `redis_push` is renamed:
///
/// | option | meaning |
/// | --- | --- |
/// | `channel = "orders"` | one channel |
/// | `channel = "orders.{id}"` | a template: the field `id` is in the channel's name |
/// | `pattern = "orders.*"` | a glob, by the server's rules; no params |
/// | `shard = "{orders}.eu"` | one sharded channel; the name is taken as it is |
/// | `channel = ["orders", "refunds"]` | each of a list, with the same params; published on the first |
/// | `codec = json` | how the payload is written: see [below](#the-payload) |
/// | `tag = "type"` | an enum's variant is named in this field, as by `#[serde(tag = "type")]` |
/// | `receive_only` | the type is not to be published, so nothing need be writable |
///
/// `Quote::template()` of the trait is the text of its (first) channel. Where that has params, the
/// type gets a function `Quote::channel_for("ACME")`: the name of the channel with these, in the order
/// of the template.
///
/// # Fields
///
/// A field that a param names is filled from the channel: `&str` and `Cow<str>` borrow its text,
/// every other type is parsed by `FromStr`. In the payload a field of that name is ignored
/// (`deny_unknown_fields` refuses it, like any other). A channel that is not of the template is
/// counted `unmatched`, whatever its payload.
///
/// All other fields are in the payload. A type without such fields does not look at the payload at
/// all, and publishes an empty one. Structs, tuple structs and enums are read and written as serde
/// does it; params need a struct with named fields. Lifetimes and type parameters are allowed.
///
/// # The payload
///
/// | codec | the payload is |
/// | --- | --- |
/// | `json` | JSON; the default |
/// | `text` | the text of the one field that is not in the channel's name, by `FromStr` and `Display`; `&str` and `Cow<str>` borrow. An enum is parsed as a whole |
/// | `bytes` | the bytes of the one such field: `&[u8]`, `Cow<[u8]>`, `Vec<u8>` or `Bytes` |
/// | `msgpack` | MessagePack; needs the feature `msgpack` |
/// | `path::to::MyCodec` | what a `Codec` of your own makes of it |
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
/// What is published is read again as the same value, with three exceptions of JSON: a number with
/// a fraction may come back with another last digit (serde_json's feature `float_roundtrip` mends
/// that), one that is infinite or no number does not come back, and an `Option` in an `Option` comes
/// back as `None` where it was `Some(None)`.
///
/// A type with a `channel` or a `shard` can be published when its fields can be written: by serde's
/// `Serialize`, or for `text` by `Display`. (One with a `pattern` names no channel; it goes out by
/// `publish_to`.) That is asked only where it is published, so a type that is only received needs
/// nothing. A param is written by `Display`; one whose text could not be read back (it is empty, or
/// has a separator in it) is an error of the publish.
///
/// A borrowed text should be a `Cow<'a, str>`: `&'a str` refuses a JSON string with an escape in
/// it. What mentions a lifetime of the type gets `#[serde(borrow)]` by itself; serde borrows in a
/// `Cow` that is the field's own type, and copies in an `Option<Cow<'a, str>>`.
///
/// # Serde's attributes
///
/// `#[serde(..)]` on the type, its variants and its fields is honoured: `rename`, `rename_all`,
/// `alias`, `default`, `borrow`, `flatten`, `with`, `deserialize_with`, `serialize_with`, `skip`,
/// `skip_serializing_if`, `tag`, `content`, `untagged`, `transparent`, `deny_unknown_fields` and
/// others. A `with` whose module only reads needs `receive_only`, or `deserialize_with` instead. On a field that a param fills it has
/// no effect. A `default` of the type needs the type's own `Default`, as in serde. What cannot be
/// carried is refused on the type: `from`, `try_from`, `into`, `remote`, `crate` and `bound`.
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
    message::expand(input.into()).into()
}
