use tests::eventually_in;

use crate::page::Page;
use crate::stage::{BOUND, Stage};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sync");

/// The cart, as the page shows it.
const CART: &str = "[...document.querySelectorAll('#items li')].map((row) => \
                    row.querySelector('span').innerText + row.querySelector('output').innerText).join()";

async fn add(page: &Page, item: &str) {
    page.fill("[name=title]", item).await;
    page.click("#form button").await;
}

async fn more(page: &Page, item: &str) {
    page.click(&format!("[aria-label='One more of {item}']"))
        .await;
}

async fn less(page: &Page, item: &str) {
    page.click(&format!("[aria-label='One less of {item}']"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_each_change_of_the_cart() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let (one, other) = (stage.run(PROGRAM), stage.run(PROGRAM));
    let ann = stage.open(&one.page("/")).await;
    let bob = stage.open(&other.page("/")).await;
    for page in [&ann, &bob] {
        page.shows("#status", "Live").await;
    }
    add(&ann, "Pears").await;
    bob.has(CART, "Pears1").await;
    add(&bob, "Bread").await;
    ann.has(CART, "Bread1,Pears1").await;
    more(&ann, "Pears").await;
    more(&bob, "Pears").await;
    for page in [&ann, &bob] {
        page.has(CART, "Bread1,Pears3").await;
    }
    ann.pictures("sync").await;
    less(&bob, "Bread").await;
    ann.has(CART, "Pears3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn carts_are_equal_after_edits_from_both_sides_of_outages_without_a_reload() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let (one, other) = (stage.run(PROGRAM), stage.run(PROGRAM));
    let ann = stage.open(&one.page("/")).await;
    let bob = stage.open(&other.page("/")).await;
    add(&ann, "Pears").await;
    bob.has(CART, "Pears1").await;

    // Some of these edits are made while a process does not hear of them, and some fail.
    for _ in 0..3 {
        stage.server.kill_connections().await;
        more(&ann, "Pears").await;
        more(&bob, "Pears").await;
    }
    stage.server.stop().await;
    for page in [&ann, &bob] {
        page.shows("#status", "The server is away").await;
    }
    more(&bob, "Pears").await;
    bob.shows("#error", "Not changed").await;
    bob.pictures("sync-outage").await;
    stage.server.start_again().await;
    for page in [&ann, &bob] {
        page.shows("#status", "Live").await;
    }
    add(&bob, "Bread").await;
    bob.has("document.querySelector('#error').innerText", "")
        .await;

    let equal = async || {
        let (ann, bob) = (ann.value(CART).await, bob.value(CART).await);
        let cart = ann.as_str().unwrap();
        cart.starts_with("Bread1,Pears") && ann == bob
    };
    eventually_in(BOUND, "both carts are equal, with bread", equal).await;
    for page in [&ann, &bob] {
        page.has("window.loadedOnce", true).await;
    }
}
