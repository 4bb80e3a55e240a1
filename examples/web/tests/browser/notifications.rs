use crate::page::Page;
use crate::stage::Stage;

const PROGRAM: &str = env!("CARGO_BIN_EXE_notifications");

async fn send(page: &Page, to: &str, text: &str) {
    page.fill("[name=to]", to).await;
    page.fill("[name=text]", text).await;
    page.click("form button").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_reaches_every_page_of_its_user_and_nobody_else() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let application = stage.run(PROGRAM);
    let ann = stage.open(&application.page("/ann")).await;
    let ann_at_work = stage.open(&application.page("/ann")).await;
    let bob = stage.open(&application.page("/bob")).await;
    for page in [&ann, &ann_at_work, &bob] {
        page.shows("#status", "Live").await;
    }
    send(&bob, "ann", "The build is green").await;
    for page in [&ann, &ann_at_work] {
        page.shows("#toasts", "The build is green").await;
        page.shows("#list", "The build is green").await;
    }
    send(&ann, "bob", "Thank you").await;
    bob.shows("#list", "Thank you").await;
    bob.has("document.querySelectorAll('#list li').length", 1)
        .await;
    ann.pictures("notifications").await;
    // The service lets go of a user whose last page is closed.
    bob.close().await;
    let server = &stage.server;
    server.wait_for_subscribers_of("notifications.bob", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_hidden_is_shown_what_it_has_missed() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let application = stage.run(PROGRAM);
    let ann = stage.open(&application.page("/ann")).await;
    let bob = stage.open(&application.page("/bob")).await;
    ann.shows("#status", "Live").await;
    let first = ann.driver.window().await.unwrap();
    let second = ann.driver.new_tab().await.unwrap();
    ann.driver.switch_to_window(second).await.unwrap();
    stage
        .server
        .wait_for_subscribers_of("notifications.ann", 0)
        .await;
    send(&bob, "ann", "while you were away").await;
    bob.has("document.querySelector('[name=text]').value", "")
        .await;
    ann.driver.switch_to_window(first).await.unwrap();
    ann.shows("#toasts", "while you were away").await;
    ann.shows("#list", "while you were away").await;
    ann.has("window.loadedOnce", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_notifications_is_right_again_after_an_outage_without_a_reload() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let application = stage.run(PROGRAM);
    let ann = stage.open(&application.page("/ann")).await;
    let bob = stage.open(&application.page("/bob")).await;
    for page in [&ann, &bob] {
        page.shows("#status", "Live").await;
    }
    send(&bob, "ann", "before").await;
    ann.shows("#list", "before").await;

    stage.server.stop().await;
    for page in [&ann, &bob] {
        page.shows("#status", "The server is away").await;
    }
    send(&bob, "ann", "meanwhile").await;
    bob.shows("#error", "Not sent").await;
    bob.pictures("notifications-outage").await;

    stage.server.start_again().await;
    for page in [&ann, &bob] {
        page.shows("#status", "Live").await;
    }
    bob.click("form button").await;
    ann.shows("#list", "meanwhile").await;
    ann.has(
        "[...document.querySelectorAll('#list li')].map((item) => item.innerText).join()",
        "meanwhile,before",
    )
    .await;
    ann.has("window.loadedOnce", true).await;
    bob.has("document.querySelector('#error').innerText", "")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_connects_again_to_a_service_that_was_killed_and_started_again() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let application = stage.run(PROGRAM);
    let ann = stage.open(&application.page("/ann")).await;
    ann.shows("#status", "Live").await;
    let killed = application.kill();
    ann.shows("#status", "Connection lost").await;
    let _application = killed.start_again();
    ann.shows("#status", "Live").await;
    send(&ann, "ann", "welcome back").await;
    ann.shows("#list", "welcome back").await;
    ann.has("window.loadedOnce", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_ends_while_pages_are_open() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let application = stage.run(PROGRAM);
    let ann = stage.open(&application.page("/ann")).await;
    ann.shows("#status", "Live").await;
    assert!(application.terminate().await);
    ann.shows("#status", "Connection lost").await;
}
