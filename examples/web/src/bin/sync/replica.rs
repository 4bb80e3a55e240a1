//! The copy of the cart in this process.

use redis::RedisError;
use redis_push::{Delivery, Fault, Gap, Next, Outcome, State, gap_handler, push_handler};
use tokio::sync::watch;

use crate::cart::{Applied, Cart, Change};
use crate::store::Store;

#[derive(Clone)]
pub(crate) struct Replica {
    store: Store,
    /// `None` until the cart was read for the first time.
    cart: watch::Sender<Option<Cart>>,
}

impl Replica {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            cart: watch::Sender::default(),
        }
    }

    /// Returns a receiver of the cart as it is, and whenever it has changed.
    pub(crate) fn follow(&self) -> watch::Receiver<Option<Cart>> {
        let mut cart = self.cart.subscribe();
        cart.mark_changed();
        cart
    }
}

/// Prints why the cart was read. A layer is around each gap, as it is around each message.
pub(crate) async fn print_reads(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
    let outcome = next.run(delivery).await;
    if let Some(gap) = delivery.gap() {
        println!("read the cart ({outcome}): {gap}");
    }
    outcome
}

/// Reads the cart. It runs first of all and whenever changes may be missing, and again if it fails.
#[gap_handler]
async fn reload(_gap: Gap, State(replica): State<Replica>) -> Result<(), RedisError> {
    let cart = replica.store.read().await?;
    replica.cart.send_replace(Some(cart));
    Ok(())
}

#[push_handler(on_gap = reload)]
pub(crate) async fn on_change(change: Change, State(replica): State<Replica>) -> Result<(), Fault> {
    let mut applied = Applied::NotYet;
    replica.cart.send_if_modified(|cart| {
        if let Some(cart) = cart {
            applied = cart.apply(change);
        }
        applied == Applied::Yes
    });
    match applied {
        Applied::Yes | Applied::Before => Ok(()),
        Applied::NotYet => Err(Fault::resync("a change is missing")),
    }
}
