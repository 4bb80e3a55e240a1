//! Tests of the macros without a server: a test builds a push and passes it to the generated code.

mod addresses;
mod arguments;
mod attributes;
mod constants;
mod facade;
mod gaps;
mod hostile;
mod messages;
mod mounts;
mod outcomes;
mod params;
mod publishing;
mod refused;
mod scale;
mod traces;
mod wiring;

use redis_push::{Fault, Handler, OwnedPush, Spec, Subscription};

/// Runs a handler on one push, as if `payload` had been published on `channel`.
async fn deliver<H: Handler<S>, S>(
    handler: H,
    state: &S,
    by: Subscription,
    channel: &str,
    payload: &str,
) -> Result<(), Fault> {
    let push = OwnedPush::new(by, channel, payload);
    handler.handle(push.as_push(), state).await
}

/// The spec of a handler, as text.
fn spec_of<H: Handler<()>>(handler: H) -> String {
    let spec: Spec = handler.spec();
    format!("{spec:?}")
}

fn template(text: &str) -> Subscription {
    Subscription::template(text).unwrap()
}

fn rejection(result: Result<(), Fault>) -> redis_push::Rejection {
    match result.unwrap_err() {
        Fault::Rejected(rejection) => rejection,
        other => panic!("{other:?}"),
    }
}
