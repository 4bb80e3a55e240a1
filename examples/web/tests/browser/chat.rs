use crate::page::Page;
use crate::stage::{Application, Stage};

const PROGRAM: &str = env!("CARGO_BIN_EXE_chat");

async fn enter(stage: &Stage, application: &Application, name: &str) -> Page {
    let page = stage.open(&application.page("/lobby")).await;
    page.shows("#status", "Not in the room").await;
    page.fill("[name=name]", name).await;
    page.click("#enter button").await;
    page.mark().await;
    page.shows("#status", "Live").await;
    page
}

async fn say(page: &Page, text: &str) {
    page.fill("[name=text]", text).await;
    page.click("#say button").await;
}

/// Who is there, as the page shows it.
const PRESENT: &str =
    "[...document.querySelectorAll('#present li')].map((item) => item.innerText).join()";

/// What was said, as the page shows it.
const SAID: &str = "[...document.querySelectorAll('#said p')].map((item) => item.innerText).join()";

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_a_room() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let (one, other) = (stage.run(PROGRAM), stage.run(PROGRAM));
    let outside = stage.open(&one.page("/lobby")).await;
    outside.pictures("chat-outside").await;
    outside.close().await;
    let ann = enter(&stage, &one, "ann").await;
    ann.has(PRESENT, "ann").await;
    let bob = enter(&stage, &other, "bob").await;
    for page in [&ann, &bob] {
        page.has(PRESENT, "ann,bob").await;
    }
    say(&ann, "Hello").await;
    bob.has(SAID, "Hello").await;
    say(&bob, "Good morning, ann").await;
    ann.has(SAID, "Hello,Good morning, ann").await;
    ann.pictures("chat").await;
    bob.close().await;
    ann.has(PRESENT, "ann").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_right_again_after_an_outage_without_a_reload() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let (one, other) = (stage.run(PROGRAM), stage.run(PROGRAM));
    let ann = enter(&stage, &one, "ann").await;
    let bob = enter(&stage, &other, "bob").await;
    say(&ann, "before").await;
    bob.has(SAID, "before").await;

    stage.server.stop().await;
    for page in [&ann, &bob] {
        page.shows("#status", "The server is away").await;
    }
    say(&bob, "meanwhile").await;
    bob.shows("#error", "Not sent").await;
    bob.pictures("chat-outage").await;

    stage.server.start_again().await;
    for page in [&ann, &bob] {
        page.shows("#status", "Live").await;
    }
    bob.click("#say button").await;
    for page in [&ann, &bob] {
        page.has(SAID, "before,meanwhile").await;
        page.has(PRESENT, "ann,bob").await;
        page.has("window.loadedOnce", true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_visitors_of_a_process_that_is_killed_leave_and_come_back_with_it() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let (one, other) = (stage.run(PROGRAM), stage.run(PROGRAM));
    let ann = enter(&stage, &one, "ann").await;
    let bob = enter(&stage, &other, "bob").await;
    ann.has(PRESENT, "ann,bob").await;
    let killed = other.kill();
    bob.shows("#status", "Connection lost").await;
    ann.has(PRESENT, "ann").await;
    let _other = killed.start_again();
    for page in [&ann, &bob] {
        page.has(PRESENT, "ann,bob").await;
    }
    bob.has("window.loadedOnce", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_command_starts_two_processes_that_end_with_it() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let both = stage.run_with(PROGRAM, &[], 2);
    let ann = stage
        .open(&format!("{}/lobby?name=ann", both.urls[0]))
        .await;
    let bob = stage
        .open(&format!("{}/lobby?name=bob", both.urls[1]))
        .await;
    ann.shows("#status", "Live").await;
    bob.has(PRESENT, "ann,bob").await;
    assert!(both.terminate().await);
    for page in [&ann, &bob] {
        page.shows("#status", "Connection lost").await;
    }
}
