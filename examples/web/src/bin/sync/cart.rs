use std::collections::BTreeMap;

use redis_push::PushMessage;
use serde::Serialize;

/// A cart, as it was after some change.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Cart {
    /// The number of the last change.
    pub(crate) version: u64,
    pub(crate) items: BTreeMap<String, u32>,
}

/// A change of the cart: an item has another quantity.
#[derive(PushMessage)]
#[push(channel = "cart.changes")]
pub(crate) struct Change {
    /// One more than that of the change before.
    pub(crate) version: u64,
    pub(crate) item: String,
    /// None of it is left if this is 0.
    pub(crate) quantity: u32,
}

/// What a change means to a cart.
#[derive(Debug, PartialEq)]
pub(crate) enum Applied {
    Yes,
    /// The cart was read after the change.
    Before,
    /// A change before this one is missing.
    NotYet,
}

impl Cart {
    pub(crate) fn apply(&mut self, change: Change) -> Applied {
        if change.version <= self.version {
            return Applied::Before;
        }
        if change.version > self.version + 1 {
            return Applied::NotYet;
        }
        self.version = change.version;
        match change.quantity {
            0 => _ = self.items.remove(&change.item),
            quantity => _ = self.items.insert(change.item, quantity),
        }
        Applied::Yes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(version: u64, quantity: u32) -> Change {
        Change {
            version,
            item: "pears".into(),
            quantity,
        }
    }

    #[test]
    fn changes_apply_once_and_in_order() {
        let mut cart = Cart::default();
        assert_eq!(cart.apply(change(1, 2)), Applied::Yes);
        assert_eq!(cart.apply(change(1, 2)), Applied::Before);
        assert_eq!(cart.apply(change(3, 4)), Applied::NotYet);
        assert_eq!(cart.items, [("pears".into(), 2)].into());
        assert_eq!(cart.apply(change(2, 0)), Applied::Yes);
        let empty = Cart {
            version: 2,
            ..Cart::default()
        };
        assert_eq!(cart, empty);
    }
}
