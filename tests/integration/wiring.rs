//! The wiring of a subscriber, as a table and in the log.

use std::time::Duration;

use redis_push::{Spec, Subscription};
use tests::overheard::{self, events};
use tests::{Server, within};

use crate::support::{recorder_of, subscriber};

pub(crate) async fn mounts_are_shown_in_a_table_and_in_the_log(server: Server) {
    overheard::listen();
    // The log is shared by the tests of all servers, so each test needs its own name.
    let name = format!(
        "wired_to_{}",
        server.url().replace(|c: char| !c.is_alphanumeric(), "_")
    );
    let (quotes, _) = recorder_of(
        Spec::new(name.clone())
            .at("src/quotes.rs", 12)
            .takes("Quote", "json")
            .on(Subscription::template("quotes.{symbol}").unwrap())
            .on(Subscription::channel("quotes"))
            .workers(2),
    );
    let (other, _) = recorder_of(Spec::new("other").on(Subscription::shard("other")));
    let subscriber = subscriber(server.url()).handlers([quotes, other]);
    let wiring = subscriber.wiring();
    let handle = within("the start", subscriber.start()).await.unwrap();
    assert_eq!(handle.wiring(), wiring);
    let table = wiring.to_string();
    assert!(table.contains("src/quotes.rs:12"), "{table}");
    assert!(table.lines().count() == 4, "{table}");

    let mut logged = events("redis_push");
    logged.retain(|fields| fields.get("handler") == Some(&name));
    let [line] = &*logged else {
        panic!("expected one line in the log, got {logged:?}")
    };
    assert_eq!(
        line["message"],
        "mounted: listens to channels `quotes.{symbol}`, channel `quotes` and takes Quote"
    );
    assert_eq!((&*line["file"], &*line["line"]), ("src/quotes.rs", "12"));
    assert_eq!(
        (&*line["codec"], &*line["policies"]),
        ("json", "workers = 2")
    );
    handle.shutdown(Duration::from_secs(5)).await;
}

pub(crate) async fn a_start_logs_one_line_with_everything_that_is_subscribed(server: Server) {
    overheard::listen();
    let unique = server.url().replace(|c: char| !c.is_alphanumeric(), "_");
    let name = format!("subscribed_{}_{unique}", fastrand::u64(..));
    let names = [
        Subscription::channel(name.clone()),
        Subscription::pattern("p*"),
    ];
    let (both, _) = recorder_of(Spec::new("both").on_all(&names));
    let (again, _) = recorder_of(Spec::new("again").on(Subscription::channel(name.clone())));
    let subscriber = subscriber(server.url()).handlers([both, again]);
    let handle = within("the start", subscriber.start()).await.unwrap();
    let mut logged = events("redis_push");
    logged.retain(|fields| {
        let message = &fields["message"];
        message.starts_with("subscribed to") && message.contains(&name)
    });
    let [line] = &*logged else {
        panic!("expected one line in the log, got {logged:?}")
    };
    let expected = format!("subscribed to 1 channel, 1 pattern: `{name}`, `p*`");
    assert_eq!(line["message"], expected);
    assert_eq!(line["handlers"], "2");
    handle.shutdown(Duration::from_secs(5)).await;
}
