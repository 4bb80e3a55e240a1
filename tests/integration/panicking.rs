//! User code that panics: each panic ends one delivery, or one call, and nothing else.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;

use redis_push::{
    BoxError, Credentials, Failure, FailureKind, Fault, Gap, Handle, Handler, Mount, Push, Spec,
    Subscriber, Subscription,
};
use tests::{Server, eventually, within};
use tokio::sync::mpsc::unbounded_channel;

use crate::support::{linked, start, subscriber};

const LONG: Duration = Duration::from_secs(10);

/// A value, or a future, whose destructor panics.
struct Bomb {
    /// Whether the future never returns.
    is_pending: bool,
}

impl Bomb {
    const READY: Self = Self { is_pending: false };
    const PENDING: Self = Self { is_pending: true };

    /// Unlike `then_some`, does not drop a bomb that is not wanted.
    fn only_if(is_wanted: bool) -> Option<Self> {
        if is_wanted { Some(Self::READY) } else { None }
    }
}

impl Future for Bomb {
    type Output = Result<(), Fault>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        if self.is_pending {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("panic in a destructor")
    }
}

/// An error that panics whenever it is used.
struct Poison(#[expect(dead_code, reason = "is dropped with the error")] Bomb);

impl fmt::Display for Poison {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("panic in `Display`")
    }
}

impl fmt::Debug for Poison {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("panic in `Debug`")
    }
}

impl std::error::Error for Poison {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        panic!("panic in `source`")
    }
}

fn poison() -> BoxError {
    Box::new(Poison(Bomb::READY))
}

type Boxed = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>>;

/// Panics as each payload requests.
struct Panicking(Spec);

impl<S: Sync> Handler<S> for Panicking {
    fn spec(&self) -> Spec {
        self.0.clone()
    }

    fn handle(&self, push: Push<'_>, _state: &S) -> impl Future<Output = Result<(), Fault>> + Send {
        let boxed: Boxed = match push.payload() {
            b"early" => panic!("panic before the future exists"),
            b"late" => Box::pin(async { panic!("panic in the future") }),
            b"drop" => Box::pin(Bomb::READY),
            b"hang" => Box::pin(Bomb::PENDING),
            b"poison" => Box::pin(async { Err(Fault::Failed(poison())) }),
            _ => Box::pin(async { Ok(()) }),
        };
        boxed
    }
}

fn panicking() -> Spec {
    Spec::new("panicking").on(Subscription::channel("a"))
}

fn is_balanced(handle: &Handle) -> bool {
    let stats = handle.stats();
    let counts = &stats.handlers[0];
    counts.received == counts.accounted() && stats.restarts == 0 && stats.gaps() == 0
}

pub(crate) async fn a_panic_before_during_or_after_the_future_ends_one_delivery(server: Server) {
    const ROUNDS: u64 = 20;
    for workers in [1, 2] {
        for timeout in [None, Some(Duration::from_secs(60))] {
            let mut spec = panicking().workers(workers);
            spec = timeout.into_iter().fold(spec, Spec::timeout);
            let (sender, mut told) = unbounded_channel();
            let starting = subscriber(server.url())
                .handlers([Mount::new(Panicking(spec))])
                .on_failure(move |failure: Failure| {
                    let _ = sender.send(failure.kind());
                    async {}
                })
                .start();
            let handle = within("the start", starting).await.unwrap();
            for payload in ["early", "fine", "late", "drop"].repeat(ROUNDS as usize) {
                server.publish("a", payload).await;
            }
            eventually("every delivery to have ended", async || {
                let counts = &handle.stats().handlers[0];
                (counts.panicked, counts.handled) == (3 * ROUNDS, ROUNDS)
            })
            .await;
            for _ in 0..3 * ROUNDS {
                let kind = within("the hook to be called", told.recv()).await;
                assert_eq!(kind, Some(FailureKind::Panicked));
            }
            assert!(is_balanced(&handle), "{}", handle.stats());
            within("the shutdown", handle.shutdown(LONG)).await;
            server.wait_for_subscribers_of("a", 0).await;
        }
    }
}

pub(crate) async fn a_panic_while_a_delivery_is_dropped_ends_only_that(server: Server) {
    for workers in [1, 2] {
        // By its timeout.
        let spec = panicking().workers(workers);
        let timed = spec.clone().timeout(Duration::from_millis(20));
        let handle = start(server.url(), [Mount::new(Panicking(timed))]).await;
        for payload in ["hang", "fine", "hang", "fine"] {
            server.publish("a", payload).await;
        }
        eventually("every delivery to have ended", async || {
            let counts = &handle.stats().handlers[0];
            (counts.timed_out + counts.panicked, counts.handled) == (2, 2)
        })
        .await;
        assert!(is_balanced(&handle), "{}", handle.stats());
        within("the shutdown", handle.shutdown(LONG)).await;
        server.wait_for_subscribers_of("a", 0).await;

        // By the deadline of a shutdown, and by the end of the handle.
        for is_shut_down in [true, false] {
            let handle = start(server.url(), [Mount::new(Panicking(spec.clone()))]).await;
            server.publish("a", "hang").await;
            eventually("the delivery to begin", async || {
                handle.stats().handlers[0].running == 1
            })
            .await;
            if is_shut_down {
                let shutdown = handle.shutdown(Duration::from_millis(50));
                let report = within("the shutdown", shutdown).await;
                assert_eq!(report.cancelled(), 1);
                assert_eq!(report.stats.restarts, 0);
            }
            drop(handle);
            server.wait_for_subscribers_of("a", 0).await;
        }
    }
}

/// Panics in a different way at each of the first runs.
struct GapPanicking(AtomicUsize);

impl Handler<()> for GapPanicking {
    fn spec(&self) -> Spec {
        panicking()
    }

    async fn handle(&self, _push: Push<'_>, _state: &()) -> Result<(), Fault> {
        Ok(())
    }

    fn handle_gap(
        &self,
        _gap: &Gap,
        _state: &(),
    ) -> impl Future<Output = Result<(), Fault>> + Send {
        let boxed: Boxed = match self.0.fetch_add(1, SeqCst) {
            0 => panic!("panic before the future exists"),
            1 => Box::pin(async { panic!("panic in the future") }),
            2 => Box::pin(Bomb::READY),
            3 => Box::pin(async { Err(Fault::Failed(poison())) }),
            _ => Box::pin(async { Ok(()) }),
        };
        boxed
    }
}

pub(crate) async fn a_gap_handler_that_panics_in_any_way_is_called_again(server: Server) {
    let mount = Mount::new(GapPanicking(AtomicUsize::new(0)));
    let handle = start(server.url(), [mount]).await;
    server.publish("a", "fine").await;
    eventually("the delivery after the gap", async || {
        handle.stats().handlers[0].handled == 1
    })
    .await;
    assert_eq!(handle.stats().handlers[0].gap_failures, 4);
    assert!(is_balanced(&handle), "{}", handle.stats());
}

pub(crate) async fn a_hook_that_panics_in_any_way_gets_the_next_failure(server: Server) {
    let calls = AtomicUsize::new(0);
    let starting = subscriber(server.url())
        .handlers([Mount::new(Panicking(panicking()))])
        .on_failure(move |failure: Failure| {
            let call = calls.fetch_add(1, SeqCst);
            assert!(call > 0, "panic before the future exists");
            async move {
                // Its text and its destructor must not panic.
                let _ = (failure.reason(), failure.detail(), format!("{failure:?}"));
                let _bomb = Bomb::only_if(call == 1);
                if call == 2 {
                    Bomb::READY.await.map_err(|fault| fault.to_string())?;
                }
                if call == 3 {
                    return Err(poison());
                }
                Ok::<_, BoxError>(())
            }
        })
        .start();
    let handle = within("the start", starting).await.unwrap();
    for _ in 0..5 {
        server.publish("a", "poison").await;
    }
    eventually("the hook to succeed", async || {
        handle.stats().failures.told == 1
    })
    .await;
    let stats = handle.stats();
    assert_eq!((stats.failures.panicked, stats.failures.failed), (3, 1));
    assert!(is_balanced(&handle), "{stats}");
}

pub(crate) async fn errors_that_panic_when_dropped_do_not_end_a_shutdown(server: Server) {
    let hook = async |_: Failure| std::future::pending::<()>().await;
    let starting = subscriber(server.url())
        .handlers([Mount::new(Panicking(panicking()))])
        .on_failure(hook)
        .start();
    let handle = within("the start", starting).await.unwrap();
    for _ in 0..10 {
        server.publish("a", "poison").await;
    }
    eventually("every failure to wait for the hook", async || {
        handle.stats().failures.queued == 10
    })
    .await;
    let shutdown = handle.shutdown(Duration::from_millis(100));
    let report = within("the shutdown", shutdown).await;
    assert_eq!(report.stats.failures.dropped, 10);
    assert_eq!(report.stats.restarts, 0);
}

/// A state whose destructor panics.
struct FragileState(#[expect(dead_code, reason = "is dropped with the state")] Bomb);

pub(crate) async fn a_state_that_panics_when_dropped_does_not_end_a_shutdown(server: Server) {
    for workers in [1, 2] {
        let subscriber = linked(Subscriber::new(server.url()))
            .state(FragileState(Bomb::READY))
            .handlers([Mount::new(Panicking(panicking().workers(workers)))]);
        let handle = within("the start", subscriber.start()).await.unwrap();
        server.publish("a", "fine").await;
        let report = within("the shutdown", handle.shutdown(LONG)).await;
        assert_eq!(report.stats.handlers[0].handled, 1);
        server.wait_for_subscribers_of("a", 0).await;
    }
}

pub(crate) async fn a_provider_that_panics_in_any_way_costs_only_an_attempt(server: Server) {
    let calls = AtomicUsize::new(0);
    let starting = subscriber(server.url())
        .credentials(move || {
            let call = calls.fetch_add(1, SeqCst);
            assert!(call > 0, "panic before the future exists");
            async move {
                let _bomb = Bomb::only_if(call == 1);
                if call == 2 {
                    std::future::pending::<()>().await;
                }
                if call == 3 {
                    return Err(poison());
                }
                // The server has no password and accepts any for the default user.
                Err::<Credentials, BoxError>("the last attempt".into())
            }
        })
        .connect_timeout(Duration::from_millis(50))
        .start_deadline(Duration::from_secs(2))
        .handlers([Mount::new(Panicking(panicking()))])
        .start();
    let error = within("the start", starting).await.unwrap_err();
    assert!(error.to_string().contains("the last attempt"), "{error}");
}
