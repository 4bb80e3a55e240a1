use std::fmt;
use std::sync::Weak;

use tokio::sync::watch;

use super::Health;
use super::monitor::{HealthMonitor, Published};

/// A receiver of the changes of a subscriber's [`Health`], returned by
/// [`Handle::watch_health`](crate::Handle::watch_health).
///
/// Only the newest value is kept: a slow receiver sees the current state, not the steps to it.
pub struct HealthChanges {
    receiver: watch::Receiver<Published>,
    monitor: Weak<HealthMonitor>,
}

impl HealthChanges {
    pub(super) fn new(receiver: watch::Receiver<Published>, monitor: Weak<HealthMonitor>) -> Self {
        Self { receiver, monitor }
    }

    /// Waits until the health has differed, in more than durations, from the value that this method last
    /// returned, or from the value at the creation of this receiver. It may be the same again by then.
    /// Returns `None` once the subscriber has ended.
    ///
    /// The health is looked at when it may have changed, at most every ten milliseconds, and whenever
    /// somebody reads it: what [`Handle::health`](crate::Handle::health) returns to one caller, every
    /// receiver is told.
    ///
    /// Cancel safe: if the future is dropped, the next call returns the change.
    pub async fn changed(&mut self) -> Option<Health> {
        if self.receiver.borrow().is_last {
            return None;
        }
        self.receiver.changed().await.ok()?;
        let published = self.receiver.borrow_and_update();
        (!published.is_last).then(|| published.health.clone())
    }

    /// Returns the current health, or the last health of an ended subscriber.
    #[must_use]
    pub fn get(&self) -> Health {
        match self.monitor.upgrade() {
            Some(monitor) => monitor.health(),
            None => self.receiver.borrow().health.clone(),
        }
    }
}

impl fmt::Debug for HealthChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HealthChanges").field(&self.get()).finish()
    }
}
