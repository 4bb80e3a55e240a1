use std::sync::Arc;

use super::context::HandlerContext;
use crate::error::Fault;
use crate::gap::Gap;
use crate::handler::{Delivery, Endpoint, Handler, Next, Scope, Spec};
use crate::push::Push;

/// A handler behind its layers.
///
/// To the loop it is a handler like any other. It has one type whatever is behind the layers, so that the
/// loop for it is compiled once, with this crate.
pub(crate) struct Layered {
    endpoint: Arc<dyn Endpoint>,
    context: Arc<HandlerContext>,
}

impl Layered {
    pub(crate) fn new(endpoint: Arc<dyn Endpoint>, context: Arc<HandlerContext>) -> Self {
        Self { endpoint, context }
    }

    fn scope(&self) -> Scope<'_> {
        let HandlerContext { spec, retries, .. } = &*self.context;
        Scope::new(&spec.name, &*self.endpoint, retries)
    }
}

impl Handler<()> for Layered {
    fn spec(&self) -> Spec {
        self.context.spec.clone()
    }

    async fn handle(&self, push: Push<'_>, _state: &()) -> Result<(), Fault> {
        let scope = self.scope();
        let next = Next::new(&self.context.spec.layers, &scope);
        let delivery = Delivery::of_message(push, &scope);
        next.run(delivery).await.into_result()
    }

    async fn handle_gap(&self, gap: &Gap, _state: &()) -> Result<(), Fault> {
        let scope = self.scope();
        let next = Next::new(&self.context.spec.layers, &scope);
        let outcome = next.run(Delivery::of_gap(gap, &scope)).await;
        if !outcome.is_skipped() {
            return outcome.into_result();
        }
        // A layer must not hide a loss from the gap handler.
        if scope.gap_is_handled() {
            return Ok(());
        }
        self.endpoint.handle_gap(gap).await
    }
}
