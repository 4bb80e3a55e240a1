//! Attributes of the user's code: each stays on the element that it is on.

#![deny(warnings)]
#![allow(clippy::non_minimal_cfg)] // `all()` and `any()` hold everywhere and nowhere.

use redis_push::{
    FromPush, Gap, Mount, OwnedPush, PushMessage, Subscription, ToPayload, gap_handler, handlers,
    push_handler,
};

#[push_handler(channel = "a")]
async fn on_a(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "b")]
async fn on_b(text: &str) {
    println!("{text}");
}

/// A macro that keeps an element only under its own condition.
macro_rules! listed {
    ($($(#[$attribute:meta])* $path:path),* $(,)?) => {
        handlers![$($(#[$attribute])* $path),*]
    };
}

fn channels(mounts: &[Mount<()>]) -> Vec<String> {
    let name = |mount: &Mount<()>| {
        let text = format!("{mount:?}");
        let (_, rest) = text.split_once("name: \"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    mounts.iter().map(name).collect()
}

#[test]
fn an_element_of_a_list_keeps_its_cfg() {
    let mounts: Vec<Mount<()>> = handlers![
        on_a,
        #[cfg(any())]
        on_b
    ];
    assert_eq!(channels(&mounts), ["on_a"]);
    let mounts: Vec<Mount<()>> = handlers![
        #[cfg(all())]
        on_a,
        #[cfg(any())]
        on_b.on(Subscription::channel("c")),
        #[cfg_attr(all(), cfg(any()))]
        on_b,
        #[cfg(any())]
        not::there::<u8>,
        #[cfg(any())]
        Mount::new(nothing()),
    ];
    assert_eq!(channels(&mounts), ["on_a"]);
    let mounts: Vec<Mount<()>> = listed![
        #[cfg(any())]
        on_a,
        #[cfg(all())]
        on_b
    ];
    assert_eq!(channels(&mounts), ["on_b"]);
}

#[push_handler(channel = "old")]
#[deprecated]
async fn on_old(text: &str) {
    println!("{text}");
}

#[test]
fn an_element_of_a_list_keeps_its_allow() {
    let mounts: Vec<Mount<()>> = handlers![
        #[allow(deprecated)]
        on_old,
        #[allow(deprecated)]
        on_old.buffer(1)
    ];
    assert_eq!(mounts.len(), 2);
}

#[push_handler(channel = "x")]
#[cfg_attr(all(), inline, cfg(any()))]
async fn cfg_d_out(text: Nothing) {
    nothing!(text);
}

#[gap_handler]
#[cfg_attr(all(), cfg(any()))]
async fn gap_cfg_d_out(gap: Nothing) {
    nothing!(gap);
}

mod old {
    use redis_push::PushMessage;

    #[deprecated]
    #[derive(PushMessage)]
    #[push(channel = "olds", codec = text)]
    pub(super) struct Old(pub(super) String);
}

/// The generated code names the type too.
#[push_handler]
#[allow(deprecated)]
async fn on_deprecated(old: old::Old) {
    println!("{}", old.0);
}

#[gap_handler]
#[cfg_attr(all(), expect(deprecated))]
async fn on_deprecated_gap(gap: OldGap) {
    println!("{gap}");
}

#[deprecated]
type OldGap = Gap;

#[push_handler(channel = "arguments", on_gap = on_deprecated_gap)]
async fn on_arguments(#[allow(unused_variables)] text: &str) {}

#[test]
fn lints_that_a_handler_silences_stay_silent_in_its_expansion() {
    let mounts: Vec<Mount<()>> = handlers![on_deprecated, on_arguments];
    assert_eq!(mounts.len(), 2);
}

/// Each field and variant has attributes of serde, of other derives, of the compiler, and a `cfg`.
#[derive(Debug, Default, PartialEq, PushMessage)]
#[push(channel = "events")]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    #[default]
    #[cfg(all())]
    #[serde(alias = "begun")]
    Started,
    #[cfg(any())]
    Removed(Nothing),
    #[deprecated]
    #[cfg_attr(all(), serde(rename = "last"))]
    Ended {
        #[cfg(any())]
        removed: Nothing,
        #[cfg_attr(all(), serde(rename = "seconds", default))]
        #[doc(alias = "duration")]
        after: u32,
    },
}

#[test]
#[allow(deprecated)]
fn fields_and_variants_keep_their_attributes() {
    let read = |payload| {
        let push = OwnedPush::new(Subscription::channel("events"), "events", payload);
        <Event as FromPush<'_, ()>>::from_push(push.as_push(), &()).unwrap()
    };
    assert_eq!(read(r#"{"type":"begun"}"#), Event::default());
    assert_eq!(read(r#"{"type":"last"}"#), Event::Ended { after: 0 });
    let payload = Event::Ended { after: 3 };
    let payload = payload.to_payload().unwrap();
    assert_eq!(payload, br#"{"type":"last","seconds":3}"#.as_slice());
}
