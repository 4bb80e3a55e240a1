//! Mistakes in the application, each of which makes the scenario fail.

use std::panic::{AssertUnwindSafe, catch_unwind};

use redis_push::testing::TestKit;

use crate::app::{Mistake, app};
use crate::{paused, scenario};

/// Returns the message with which the scenario fails.
async fn failure(mistake: Mistake) -> String {
    let failing = tokio::task::spawn_blocking(move || {
        let run = || {
            paused(async {
                let kit = TestKit::start(app("redis://unused/", mistake)).await?;
                scenario(kit).await
            })
        };
        let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("the scenario fails");
        *panic.downcast::<String>().expect("a message")
    });
    let message = failing.await.unwrap();
    println!("{mistake:?}: {message}");
    message
}

async fn fails_with(mistake: Mistake, texts: &[&str]) {
    let message = failure(mistake).await;
    for text in texts {
        assert!(message.contains(text), "{text:?} is not in: {message}");
    }
}

pub(crate) async fn a_skipped_handler_is_found() {
    let texts = ["`on_alarm` (", "app.rs:", "was never called, expected once"];
    fails_with(Mistake::SkipsAHandler, &texts).await;
}

pub(crate) async fn a_swallowed_gap_is_found() {
    let texts = ["`on_reading` (", "app.rs:", "expected `load`"];
    fails_with(Mistake::SwallowsAGap, &texts).await;
}

pub(crate) async fn a_message_that_is_published_twice_is_found() {
    let texts = [
        "`Alarm` was published 2 times",
        "published by `on_reading` (",
        "app.rs:",
    ];
    fails_with(Mistake::PublishesTwice, &texts).await;
}

pub(crate) async fn a_message_that_is_decoded_wrongly_is_found() {
    let texts = ["`on_reading` (", "app.rs:", "missing field `fahrenheit`"];
    fails_with(Mistake::DecodesWrong, &texts).await;
}
