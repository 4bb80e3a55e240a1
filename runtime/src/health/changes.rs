use std::fmt;
use std::sync::Weak;

use tokio::sync::watch;

use super::Health;
use super::monitor::{HealthMonitor, Published};

/// The changes of a subscriber's [`Health`], as
/// [`Handle::watch_health`](crate::Handle::watch_health) gives them.
///
/// Only the newest is kept: who looks late sees where things are, not how they got there.
pub struct HealthChanges {
    receiver: watch::Receiver<Published>,
    monitor: Weak<HealthMonitor>,
}

impl HealthChanges {
    pub(super) fn new(receiver: watch::Receiver<Published>, monitor: Weak<HealthMonitor>) -> Self {
        Self { receiver, monitor }
    }

    /// Waits until the health differs from what was last returned here, or when this receiver was
    /// made, in more than in how long things have lasted. `None` once the subscriber has ended.
    ///
    /// Cancel safe: a change that is not returned is still there.
    pub async fn changed(&mut self) -> Option<Health> {
        if self.receiver.borrow().is_last {
            return None;
        }
        self.receiver.changed().await.ok()?;
        let published = self.receiver.borrow_and_update();
        (!published.is_last).then(|| published.health.clone())
    }

    /// The health at this moment; of an ended subscriber the last one.
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
