//! The default link: one `ConnectionManager` for each generation, whose push sender calls the
//! dispatcher.
//!
//! The manager's own reconnecting is not used. Its retries end after a few seconds and leave an idle
//! subscriber deaf. Its automatic resubscription miscounts replies, and one denied name silences all
//! the others. And while it replaces a connection, two connections may push into one sender. So the
//! manager gets no retries, its pushes carry its generation, and the session drops it when its
//! connection ends.
//!
//! A manager opens its own socket. With the TLS of this crate ([`tls`](crate::connection::tls)), the
//! push sender is therefore set on a `MultiplexedConnection` over a TLS stream that this crate has
//! opened. A manager wraps the same type.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use redis::aio::ConnectionManagerConfig;
use redis::{AsyncConnectionConfig, PushInfo};

use super::Attempt;
use super::driver::greet;
use super::push_info::incoming;
use crate::connection::Connection;
use crate::dispatch::Dispatcher;
use crate::error::Error;
use crate::push::{Generation, Incoming};

/// Connects with a manager or, with the TLS of this crate, with a `MultiplexedConnection`.
pub(super) async fn connect(attempt: Attempt<'_>, timeout: Duration) -> Result<Connection, Error> {
    let sender = sender(attempt.generation, Arc::clone(attempt.dispatcher));
    let server = attempt.server;
    if server.tls().is_none() {
        let configure = |config: ConnectionManagerConfig| config.set_push_sender(sender);
        return server.manage(attempt.greeting, timeout, configure).await;
    }
    let stream = server.dial().await?;
    let config = AsyncConnectionConfig::new().set_push_sender(sender);
    greet(attempt, stream, config).await
}

/// Returns the push sender of one generation.
fn sender(
    generation: Generation,
    dispatcher: Arc<Dispatcher>,
) -> impl Fn(PushInfo) -> Result<(), &'static str> + Send + Sync + 'static {
    let ended = Arc::clone(&dispatcher);
    guarded(
        move |push| dispatcher.accept(generation, &incoming(&push)),
        move || ended.accept(generation, &Incoming::Disconnected),
    )
}

/// Returns a push sender that ends the connection if `accept` panics.
///
/// A panic in a push sender would end the manager's forwarding task for good. Commands would still
/// work, but no push and no notice of a disconnection would arrive any more.
fn guarded(
    accept: impl Fn(PushInfo),
    disconnect: impl Fn(),
) -> impl Fn(PushInfo) -> Result<(), &'static str> {
    move |push| {
        if catch_unwind(AssertUnwindSafe(|| accept(push))).is_err() {
            disconnect();
            tracing::error!(
                target: "redis_push",
                "the dispatcher panicked; reconnecting"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use redis::PushKind;

    use super::*;

    #[test]
    fn a_panic_in_the_push_sender_ends_the_connection_and_not_the_sender() {
        let disconnects = Cell::new(0);
        let accepted = Cell::new(0);
        let send = guarded(
            |push| match push.kind {
                PushKind::Other(_) => panic!("a test has requested this panic"),
                _ => accepted.set(accepted.get() + 1),
            },
            || disconnects.set(disconnects.get() + 1),
        );
        let push = |kind| PushInfo { kind, data: vec![] };
        for _ in 0..3 {
            assert_eq!(send(push(PushKind::Other("bad".to_owned()))), Ok(()));
            assert_eq!(send(push(PushKind::Message)), Ok(()));
        }
        assert_eq!((accepted.get(), disconnects.get()), (3, 3));
    }
}
