use std::net::IpAddr;
use std::sync::Mutex;

use redis_push::{Json, Param, State, push_handler};

use crate::{deliver, rejection, template};

type Seen = &'static Mutex<Vec<String>>;

fn seen() -> Seen {
    Box::leak(Box::default())
}

#[push_handler(channel = "hosts.{region}.{host*}")]
async fn on_host(
    Param(region): Param<&str>,
    host: Param<IpAddr>,
    Json(up): Json<bool>,
    State(seen): State<Seen>,
) {
    let Param(host) = host;
    seen.lock().unwrap().push(format!("{region} {host} {up}"));
}

#[tokio::test]
async fn params_are_arguments_of_the_same_name() {
    let seen = seen();
    let by = template("hosts.{region}.{host*}");
    deliver(on_host {}, &seen, by.clone(), "hosts.eu.10.0.0.7", "true")
        .await
        .unwrap();
    assert_eq!(*seen.lock().unwrap(), ["eu 10.0.0.7 true"]);
    let wrong = deliver(on_host {}, &seen, by, "hosts.eu.ten", "true").await;
    assert_eq!(
        rejection(wrong).to_string(),
        "the param `host` of the channel name is not a valid `core::net::ip_addr::IpAddr`: invalid IP \
         address syntax"
    );
}

#[push_handler(channel = ["jobs.{id}", "old.jobs.{id}"])]
async fn on_job(r#id: Param<String>, State(seen): State<Seen>) {
    seen.lock().unwrap().push(id.0);
}

#[tokio::test]
async fn several_channels_provide_the_params_that_they_share() {
    let seen = seen();
    for (by, channel) in [("jobs.{id}", "jobs.1"), ("old.jobs.{id}", "old.jobs.2")] {
        deliver(on_job {}, &seen, template(by), channel, "")
            .await
            .unwrap();
    }
    assert_eq!(*seen.lock().unwrap(), ["1", "2"]);
}

use redis_push::Param as Renamed;

#[push_handler(channel = "only.{one}")]
async fn on_only(one: Option<Renamed<u8>>, State(seen): State<Seen>) {
    seen.lock()
        .unwrap()
        .push(format!("{:?}", one.map(|one| one.0)));
}

#[tokio::test]
async fn an_argument_without_a_visible_name_is_the_only_param() {
    let seen = seen();
    let by = template("only.{one}");
    deliver(on_only {}, &seen, by.clone(), "only.7", "")
        .await
        .unwrap();
    deliver(on_only {}, &seen, by, "only.x", "").await.unwrap();
    assert_eq!(*seen.lock().unwrap(), ["Some(7)", "None"]);
}

macro_rules! made {
    ($message:ident, $field:ident, $handler:ident, $param:ident, $key:ident, $ty:ty, $($options:tt)*) => {
        #[derive(redis_push::PushMessage)]
        #[push(channel = "made.{id}", codec = text)]
        struct $message {
            id: $ty,
            $field: $ty,
        }

        #[redis_push::push_handler($($options)*, workers = 2, ordered_by = $key)]
        async fn $handler(redis_push::Param($param): redis_push::Param<$ty>, text: &str) {
            println!("{} {text}", $param);
        }
    };
}

made!(Made, value, on_made, id, id, u64, channel = "made.{id}");

/// The name of a param must not depend on the hygiene of the tokens around it.
#[test]
fn names_may_come_from_a_macro() {
    let by = <Made as redis_push::PushMessage>::SUBSCRIPTIONS[0].clone();
    let push = redis_push::OwnedPush::new(by, "made.7", "8");
    let made = <Made as redis_push::FromPush<'_, ()>>::from_push(push.as_push(), &()).unwrap();
    assert_eq!((made.id, made.value), (7, 8));
    let mounts: Vec<redis_push::Mount<()>> = redis_push::handlers![on_made];
    assert_eq!(mounts.len(), 1);
}
