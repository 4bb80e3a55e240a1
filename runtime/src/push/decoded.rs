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
///
/// The kind and the name of a push's subscription are the same for all readers of its broadcast channel:
/// only the template and the prefix may differ. So these are all that is compared, at each delivery.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    first: OnceLock<Box<Column>>,
}

#[derive(Debug)]
struct Column {
    /// A subscription with the template by which the pushes are decoded: it names the params.
    subscription: Subscription,
    /// The [`Values`] of one type.
    values: Box<dyn Any + Send + Sync>,
    next: OnceLock<Box<Column>>,
}

/// What was decoded from the pushes of a batch, by their index.
struct Values<T>(Box<[Value<T>]>);
/// A rejection is rare and large. Boxed, so that the values of a batch are close together.
type Value<T> = OnceLock<Result<Arc<T>, Box<Rejection>>>;

impl Decoded {
    /// Returns the value of a push if somebody has decoded it.
    #[inline]
    pub(super) fn known<T: Send + Sync + 'static>(
        &self,
        subscription: &Subscription,
        index: usize,
    ) -> Option<Result<Arc<T>, Rejection>> {
        let mut place = &self.first;
        loop {
            let column = place.get()?;
            if let Some(values) = column.values_of::<T>(subscription) {
                return values.0[index].get().map(shared);
            }
            place = &column.next;
        }
    }

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
        let known = match value.get() {
            Some(known) => known,
            None => {
                let decoded = decode().map(Arc::new).map_err(Box::new);
                value.get_or_init(|| decoded)
            }
        };
        shared(known)
    }

    /// Returns the column of a type and a template. It is added if there is none.
    fn values<T: Send + Sync + 'static>(
        &self,
        subscription: &Subscription,
        len: usize,
    ) -> &Values<T> {
        let mut place = &self.first;
        loop {
            let column = place.get_or_init(|| Column::new::<T>(subscription, len));
            if let Some(values) = column.values_of(subscription) {
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

    /// Returns the values, if they are of this type and decoded by the template of `subscription`.
    #[inline]
    fn values_of<T: 'static>(&self, subscription: &Subscription) -> Option<&Values<T>> {
        let values = self.values.downcast_ref()?;
        let is_same = self.subscription.reads_names_like(subscription);
        is_same.then_some(values)
    }
}

#[inline]
fn shared<T>(value: &Result<Arc<T>, Box<Rejection>>) -> Result<Arc<T>, Rejection> {
    match value {
        Ok(value) => Ok(Arc::clone(value)),
        Err(rejection) => Err(Rejection::clone(rejection)),
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
        for template in ["a.{x}", "a.{y}"] {
            let subscription = Subscription::template(template).unwrap();
            for index in 0..3 {
                let value = decoded.get(&subscription, index, 4, || Ok(Panics));
                assert!(value.is_ok());
            }
        }
        drop(decoded);
        assert_eq!(DROPPED.load(Relaxed), 6);
    }
}
