//! A scope in which every name that generated code might use means something else.

#![deny(
    elided_lifetimes_in_paths,
    explicit_outlives_requirements,
    missing_docs,
    single_use_lifetimes,
    trivial_casts,
    unreachable_pub,
    unused,
    unused_lifetimes,
    unused_qualifications
)]
// The items that only shadow names are unused.
#![allow(dead_code, unused_macros)]

use redis_push::{PushMessage, gap_handler as gap, handlers as mount_all, push_handler as handler};

enum Result {}
enum Option {}
enum Some {}
enum None {}
enum Ok {}
enum Err {}
enum Send {}
enum Sync {}
enum Default {}
enum Into {}
enum From {}
enum Vec {}
enum Box {}
enum Handler {}
enum FromPush {}
enum Spec {}
enum Push {}
enum Subscription {}
enum S {}
enum T {}
mod core {}
mod std {}
mod serde {}

macro_rules! file {
    () => {
        compile_error!("not ours")
    };
}
macro_rules! line {
    () => {
        compile_error!("not ours")
    };
}
macro_rules! assert {
    ($($anything:tt)*) => {
        compile_error!("not ours")
    };
}

/// A message whose names are keywords.
#[derive(PushMessage)]
#[push(channel = "types.{type}.{fn}")]
struct r#Match<'a> {
    r#type: ::std::string::String,
    r#fn: &'a str,
    #[serde(rename = "in")]
    r#in: u8,
}

/// A user-defined codec.
enum Codec {}

impl ::redis_push::Codec for Codec {
    fn decode<'p, V: ::serde::Deserialize<'p>>(
        payload: &'p [u8],
    ) -> ::core::result::Result<V, ::redis_push::BoxError> {
        ::core::result::Result::Ok(::serde_json::from_slice(payload)?)
    }

    fn encode<V: ::serde::Serialize>(
        value: &V,
    ) -> ::core::result::Result<::std::vec::Vec<u8>, ::redis_push::BoxError> {
        ::core::result::Result::Ok(::serde_json::to_vec(value)?)
    }
}

/// A generic message.
#[derive(PushMessage)]
#[push(channel = "wrapped", codec = Codec)]
struct Wrapped<T = u8> {
    body: T,
}

/// A message with several variants.
#[derive(PushMessage)]
#[push(channel = ["events", "old-events"], tag = "type")]
enum Event {
    Begun { at: u8 },
    Ended,
}

/// A message that is text.
#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "lines.{id}", codec = text)]
struct Line {
    id: u8,
    text: ::std::string::String,
}

#[handler]
async fn wrapped(wrapped: Wrapped) -> ::core::option::Option<::redis_push::Publish<Line>> {
    let _ = wrapped.body;
    ::core::option::Option::None
}

#[handler(channel = ["a.{id}", "b.{id}"])]
async fn params(
    r#id: ::redis_push::Param<u8>,
) -> ::core::result::Result<::redis_push::Publish<Line>, ::redis_push::Error> {
    let text = ::std::string::String::from("text");
    let line = Line { id: id.0, text };
    ::core::result::Result::Ok(::redis_push::Publish(line))
}

#[handler(keyspace = "{key*}")]
async fn keys(event: ::redis_push::KeyEvent<'_>) {
    let _ = event;
}

#[handler]
async fn r#match(message: r#Match<'_>) {
    let _ = (message.r#type, message.r#fn, message.r#in);
}

#[handler(channel = "x", on_gap = reload)]
async fn fails(text: &str) -> ::core::result::Result<(), ::std::string::String> {
    ::core::result::Result::Err(text.into())
}

#[gap]
async fn reload(gap: &::redis_push::Gap) {
    let _ = gap;
}

/// A handler that other modules can mount.
#[cfg(test)]
#[handler(channel = "x")]
pub(crate) async fn with_a_cfg(text: &str) {
    let _ = text;
}

#[handler(channel = "x")]
#[cfg(any())]
async fn cfg_d_out(text: Nothing) {
    nothing!(text);
}

#[deprecated]
#[handler(channel = "x", crate = ::redis_push)]
#[allow(clippy::unused_async)]
async fn old(text: &str) {
    let _ = text;
}

#[test]
#[allow(deprecated)]
fn generated_code_depends_on_no_name_in_scope() {
    let mounts: ::std::vec::Vec<::redis_push::Mount<()>> =
        mount_all![crate = ::redis_push; r#match, fails, with_a_cfg, old, wrapped, params, keys];
    ::core::assert_eq!(mounts.len(), 7);
    let text = ::std::format!("{mounts:?}");
    ::core::assert!(text.contains("\"match\""), "{text}");
}

#[::tokio::test]
async fn raw_names_are_params_without_their_prefix() {
    let push = ::redis_push::OwnedPush::new(
        crate::template("types.{type}.{fn}"),
        "types.a.b",
        r#"{"in":3}"#,
    );
    let handled = ::redis_push::Handler::handle(&r#match {}, push.as_push(), &()).await;
    handled.unwrap();
}

#[test]
fn a_message_is_written_in_any_scope() {
    use ::redis_push::{Publishable, ToPayload};
    let message = r#Match {
        r#type: "a".into(),
        r#fn: "b",
        r#in: 3,
    };
    ::core::assert_eq!(message.to_channel().unwrap(), "types.a.b");
    ::core::assert_eq!(message.to_payload().unwrap(), br#"{"in":3}"#.as_slice());
    let address = r#Match::at("x", "y");
    ::core::assert_eq!(address.name().unwrap(), "types.x.y");
    let event = Event::Begun { at: 1 };
    let payload = event.to_payload().unwrap();
    ::core::assert_eq!(payload, br#"{"type":"Begun","at":1}"#.as_slice());
}
