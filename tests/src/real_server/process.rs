//! The processes of servers, with their directories.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use leash::Leashed;

/// A server's process, while it runs.
pub(super) type Process = Mutex<Option<Leashed>>;

/// Processes and their directories, because the servers of abandoned tests are never dropped.
static CHILDREN: Mutex<Vec<(Weak<Process>, PathBuf)>> = Mutex::new(Vec::new());

/// Creates the directory of a server, and registers its process for [`kill_leftovers`].
pub(super) fn new_process() -> (Arc<Process>, PathBuf) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let directory =
        std::env::temp_dir().join(format!("redis-push-test-{}-{count}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let process = Arc::default();
    lock(&CHILDREN).push((Arc::downgrade(&process), directory.clone()));
    (process, directory)
}

/// Kills the servers of abandoned tests.
pub(crate) fn kill_leftovers() {
    let children: Vec<_> = lock(&CHILDREN).drain(..).collect();
    for (child, directory) in children {
        if let Some(child) = child.upgrade() {
            kill(&child);
            let _ = fs::remove_dir_all(directory);
        }
    }
}

pub(super) fn kill(child: &Process) {
    let child = lock(child).take();
    drop(child);
}

/// The executable of a process, on systems with `/proc`.
pub(super) fn program(child: &Process) -> Option<Vec<u8>> {
    let id = lock(child).as_ref().map(Leashed::id)?;
    fs::read(Path::new("/proc").join(id.to_string()).join("exe")).ok()
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
