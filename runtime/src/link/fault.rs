use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::util::Mutex;
use tokio::task::AbortHandle;

/// What a test does to the task that reads a connection.
#[derive(Debug, Default)]
pub(crate) struct Fault {
    is_due: AtomicBool,
    driver: Mutex<Option<AbortHandle>>,
}

impl Fault {
    /// Ends the driver, where it is ours; else what redis-rs calls panics with the next push.
    #[cfg(feature = "testing")]
    pub(crate) fn strike(&self) -> bool {
        let driver = self.driver.lock();
        match &*driver {
            Some(driver) => driver.abort(),
            None => self.is_due.store(true, Relaxed),
        }
        true
    }

    /// Panics if it is due. Without the feature `testing` it never is.
    pub(super) fn check(&self) {
        if cfg!(feature = "testing") && self.is_due.load(Relaxed) {
            self.is_due.store(false, Relaxed);
            panic!("a test has asked for this panic");
        }
    }

    pub(super) fn drives(&self, driver: AbortHandle) {
        let mut slot = self.driver.lock();
        *slot = Some(driver);
    }
}
