//! Handlers that cannot be collected for this program's state. Other programs could mount them.

#![forbid(unsafe_code)]
#![deny(unused)]

use redis_push::{
    FromPush, Gap, Mount, Push, Rejection, Router, State, Subscriber, gap_handler, handlers,
    push_handler,
};

#[derive(Clone, Debug)]
struct Db;

/// The state of this subscriber.
#[derive(Clone, Debug)]
struct App;

#[push_handler(channel = "orders")]
async fn says_no_state(text: &str, State(db): State<Db>) {
    println!("{text} {db:?}");
}

#[push_handler(channel = "orders", state = Db)]
async fn says_another_state(text: &str, State(db): State<Db>) {
    println!("{text} {db:?}");
}

/// An extractor for one state.
struct Tenant;

impl<'p> FromPush<'p, Db> for Tenant {
    fn from_push(_push: Push<'p>, _state: &'p Db) -> Result<Self, Rejection> {
        Ok(Self)
    }
}

#[gap_handler(state = Db)]
async fn resync(gap: Gap, State(db): State<Db>) {
    println!("{gap} {db:?}");
}

/// Only the gap handler requires a state, but without that state not even the spec can be read.
#[push_handler(channel = "gaps", on_gap = resync)]
async fn has_a_gap_handler_of_another_state() {}

mod extracts {
    use super::*;

    #[push_handler(channel = "tenants", state = Db)]
    async fn extracts(_tenant: Tenant) {}

    #[push_handler(channel = "whole")]
    async fn takes_the_whole(State(app): State<App>) {
        println!("{app:?}");
    }

    #[push_handler(channel = "fine", state = App)]
    async fn fits(State(app): State<App>) {
        println!("{app:?}");
    }
}

#[tokio::test]
async fn start_rejects_handlers_that_do_not_fit_and_names_their_place() {
    let subscriber = Subscriber::new("redis://127.0.0.1/")
        .state(App)
        .handlers(Router::collected());
    let wiring = subscriber.wiring();
    let error = subscriber.start().await.unwrap_err();
    assert!(error.is_config(), "{error}");
    let text = error.to_string();
    let lines: Vec<_> = text.lines().collect();
    let no_state =
        "takes something from a state; say from which, `#[push_handler(.., state = App)]`";
    let another = "is for the state `Db`, and not for `refused::App`";
    let expected = [
        ("extracts", another),
        ("has_a_gap_handler_of_another_state", no_state),
        ("says_another_state", another),
        ("says_no_state", no_state),
        ("takes_the_whole", no_state),
    ];
    assert_eq!(lines.len(), expected.len(), "{text}");
    for (line, (name, reason)) in lines.iter().zip(expected) {
        let row = wiring.handler(name).unwrap();
        let (file, number) = (row.file.as_ref().unwrap(), row.line.unwrap());
        assert_eq!(file, file!());
        assert!(
            line.starts_with(&format!("`{name}` ({file}:{number}) ")),
            "{line}"
        );
        assert!(line.contains(reason), "{line}");
    }
    let names = &wiring.handler("says_no_state").unwrap().subscriptions;
    assert_eq!(names[0].name, "orders");
}

#[tokio::test]
async fn handlers_are_collected_for_their_own_state() {
    let router: Router<Db> = Router::collected_in(module_path!());
    let refused: Vec<_> = Subscriber::new("redis://127.0.0.1/")
        .state(Db)
        .handlers(router)
        .start()
        .await
        .unwrap_err()
        .to_string()
        .lines()
        .map(|line| line.split('`').nth(1).unwrap().to_owned())
        .collect();
    let expected = [
        "fits",
        "has_a_gap_handler_of_another_state",
        "says_no_state",
        "takes_the_whole",
    ];
    assert_eq!(refused, expected);
}

#[test]
fn handlers_can_still_be_mounted_by_name() {
    let mounts: Vec<Mount<Db>> = handlers![
        says_no_state,
        says_another_state,
        has_a_gap_handler_of_another_state,
    ];
    assert_eq!(mounts.len(), 3);
}
