use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::endpoint::Handling;
use super::scope::Scope;
use super::{Calling, Delivery, ErasedLayer, Layers};
use crate::handler::Outcome;

/// What is next behind a [`Layer`](crate::Layer): the layers further in, and the handler.
#[derive(Clone, Copy)]
pub struct Next<'d> {
    layers: &'d [Arc<dyn ErasedLayer>],
    scope: &'d Scope<'d>,
}

impl<'d> Next<'d> {
    pub(crate) fn new(layers: &'d Layers, scope: &'d Scope<'d>) -> Self {
        Self {
            layers: layers.as_slice(),
            scope,
        }
    }

    /// Runs the layers further in, and the handler. Returns how the delivery ended.
    ///
    /// May be called again: each call is another attempt.
    ///
    /// ```
    /// use redis_push::{Delivery, Next, Outcome};
    ///
    /// async fn once_more(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
    ///     match next.run(delivery).await {
    ///         outcome if outcome.is_failed() && !delivery.is_gap() => next.run(delivery).await,
    ///         outcome => outcome,
    ///     }
    /// }
    /// ```
    pub fn run(self, delivery: Delivery<'d>) -> impl Future<Output = Outcome> + Send + 'd {
        let Self { layers, scope } = self;
        let call = match layers.split_first() {
            Some((layer, layers)) => Call::Layer(layer.call(delivery, Self { layers, scope })),
            None => match (delivery.push(), delivery.gap()) {
                (Some(push), _) => Call::Handler(scope.handle(push)),
                (None, Some(gap)) => Call::GapHandler(scope.handle_gap(gap)),
                (None, None) => unreachable!("a delivery is a message or a gap"),
            },
        };
        Run { call, scope }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.layers.iter().map(|layer| layer.name());
        f.debug_list().entries(names).finish()
    }
}

/// A call of what is next.
struct Run<'d> {
    call: Call<'d>,
    scope: &'d Scope<'d>,
}

enum Call<'d> {
    Layer(Calling<'d>),
    Handler(Handling<'d>),
    GapHandler(Handling<'d>),
}

impl Future for Run<'_> {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let scope = self.scope;
        Poll::Ready(match &mut self.call {
            Call::Layer(calling) => ready!(calling.as_mut().poll(cx)),
            Call::Handler(handling) => ready!(handling.as_mut().poll(cx)).into(),
            Call::GapHandler(handling) => {
                let result = ready!(handling.as_mut().poll(cx));
                scope.gap_ended(result.is_ok());
                result.into()
            }
        })
    }
}
