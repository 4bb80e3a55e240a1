//! The guide: how to use this crate, one page for each question.
//!
//! Each page can be read on its own. In this order they lead from the first program to a service in
//! production.
//!
//! | page | question |
//! | --- | --- |
//! | [`start`] | How does a first program look, and what happens in it? |
//! | [`extractors`] | What can a handler listen to, and what can it take and return? |
//! | [`messages`] | How does a type name its channel, and how is it published? |
//! | [`gaps`] | How does a program find out that messages are missing, and what does it do then? |
//! | [`handlers_or_streams`] | When is a subscription a handler, and when a stream? |
//! | [`policies`] | What happens when messages come too fast, take too long or fail? |
//! | [`routers`] | How are handlers spread over modules, and named at run time? |
//! | [`in_a_web_service`] | How do browsers receive messages? |
//! | [`caching`] | How are values of keys kept in this process? |
//! | [`testing`] | How is an application tested? |
//! | [`observability`] | How does an operator see that it works? |
//! | [`traces`] | How is a message followed from process to process? |
//! | [`deployment`] | What do the server and its user need? |
//! | [`the_compiler_said`] | What does a compile error mean? |
//! | [`comparison`] | What do other crates do better, and what worse? |
//! | [`coming_from`] | How is code for redis-rs, fred or FastStream rewritten? |
//! | [`promises`] | What is guaranteed, how is it tested, and what is not guaranteed? |
//! | [`speed`] | How fast is it, compared with others? |
//!
//! The code of every page is compiled and run as a test.

// The pages link to the names of the crate, which rustdoc looks up here.
#[allow(unused_imports, reason = "for the links of the pages")]
use crate::*;

/// Declares a module for each page.
macro_rules! pages {
    ($($(#[$attribute:meta])* $page:ident)*) => {
        $($(#[$attribute])* pub mod $page {})*
    };
}

pages! {
    #[doc = include_str!("../docs/start.md")]
    start
    #[doc = include_str!("../docs/extractors.md")]
    extractors
    #[doc = include_str!("../docs/messages.md")]
    messages
    #[doc = include_str!("../docs/gaps.md")]
    gaps
    #[doc = include_str!("../docs/handlers-or-streams.md")]
    handlers_or_streams
    #[doc = include_str!("../docs/policies.md")]
    policies
    #[doc = include_str!("../docs/routers.md")]
    routers
    // Its code needs axum. The package `web` compiles it: `cargo test -p web --doc`.
    #[cfg_attr(not(doctest), doc = include_str!("../docs/in-a-web-service.md"))]
    in_a_web_service
    // Its code needs the feature.
    #[cfg_attr(any(not(doctest), feature = "cache"), doc = include_str!("../docs/caching.md"))]
    caching
    // Its code needs the feature, which the doc tests have.
    #[cfg_attr(any(not(doctest), feature = "testing"), doc = include_str!("../docs/testing.md"))]
    testing
    #[doc = include_str!("../docs/observability.md")]
    observability
    // Its code needs the crates of OpenTelemetry. The package `web` compiles it.
    #[cfg_attr(not(doctest), doc = include_str!("../docs/traces.md"))]
    traces
    #[doc = include_str!("../docs/deployment.md")]
    #[doc = include_str!("../docs/server-rights.md")]
    deployment
    #[doc = include_str!("../docs/the-compiler-said.md")]
    the_compiler_said
    #[doc = include_str!("../docs/comparison.md")]
    comparison
    #[doc = include_str!("../docs/coming-from.md")]
    // Its code needs fred. The package `compare` compiles it: `cargo test -p compare --doc`.
    #[cfg_attr(not(doctest), doc = include_str!("../docs/coming-from-fred.md"))]
    #[doc = include_str!("../docs/coming-from-faststream.md")]
    coming_from
    #[doc = include_str!("../docs/promises.md")]
    promises
    #[doc = include_str!("../docs/speed.md")]
    speed
}
