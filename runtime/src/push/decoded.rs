//! Values that the readers of a batch share.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use crate::error::Rejection;
use crate::subscription::Subscription;
use crate::util::drop_caught;

/// What one reader of a batch has decoded from its pushes, for the other readers.
///
/// There is a column for each type that is shared, and for each template by which it is decoded. There is
/// mostly one, so they are a list.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    first: OnceLock<Box<Column>>,
}

#[derive(Debug)]
struct Column {
    /// The subscription by which the pushes are decoded: its template names the params.
    subscription: Subscription,
    /// The [`Values`] of one type.
    values: Box<dyn Any + Send + Sync>,
    next: OnceLock<Box<Column>>,
}

/// What was decoded from the pushes of a batch, by their index.
struct Values<T>(Box<[Value<T>]>);
type Value<T> = OnceLock<Result<Arc<T>, Rejection>>;

impl Decoded {
    /// Returns the value of a push that is decoded by `decode` if nobody has decoded it yet.
    ///
    /// Nobody waits for another reader: two that come at the same time both decode, and the value of the
    /// first is kept.
    pub(super) fn get<T: Send + Sync + 'static>(
        &self,
        subscription: &Subscription,
        index: usize,
        len: usize,
        decode: impl FnOnce() -> Result<T, Rejection>,
    ) -> Result<Arc<T>, Rejection> {
        let value = &self.values::<T>(subscription, len).0[index];
        if let Some(known) = value.get() {
            return known.clone();
        }
        let decoded = decode().map(Arc::new);
        value.get_or_init(|| decoded).clone()
    }

    /// Returns the column of a type and a subscription. It is added if there is none.
    fn values<T: Send + Sync + 'static>(
        &self,
        subscription: &Subscription,
        len: usize,
    ) -> &Values<T> {
        let mut place = &self.first;
        loop {
            let column = place.get_or_init(|| Column::new::<T>(subscription, len));
            if let Some(values) = column.values.downcast_ref()
                && column.subscription.is_same(subscription)
            {
                return values;
            }
            place = &column.next;
        }
    }

    /// Takes the values out, if there are any.
    pub(super) fn take(&mut self) -> Option<Self> {
        self.first.get()?;
        Some(std::mem::take(self))
    }
}

impl Column {
    fn new<T: Send + Sync + 'static>(subscription: &Subscription, len: usize) -> Box<Self> {
        let values: Values<T> = Values((0..len).map(|_| Value::new()).collect());
        Box::new(Self {
            subscription: subscription.clone(),
            values: Box::new(values),
            next: OnceLock::new(),
        })
    }
}

/// The destructors of the values are user code, so the caller holds no lock. They are called one by one: if
/// another one panicked while the panic of the first unwinds, the process would be aborted.
impl<T> Drop for Values<T> {
    fn drop(&mut self) {
        let values = self.0.iter_mut().filter_map(OnceLock::take);
        values.for_each(drop_caught);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    #[test]
    fn destructors_that_panic_keep_no_other_value_from_being_dropped() {
        static DROPPED: AtomicUsize = AtomicUsize::new(0);
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                DROPPED.fetch_add(1, Relaxed);
                panic!("a test has requested this panic");
            }
        }
        let decoded = Decoded::default();
        for channel in ["a", "b"] {
            let subscription = Subscription::channel(channel);
            for index in 0..3 {
                let value = decoded.get(&subscription, index, 4, || Ok(Panics));
                assert!(value.is_ok());
            }
        }
        drop(decoded);
        assert_eq!(DROPPED.load(Relaxed), 6);
    }
}
