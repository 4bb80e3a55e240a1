use std::fmt;
use std::sync::{Arc, Weak};

use super::handle::Handle;
use super::running::Running;

/// A handle that does not keep the subscriber alive, for the state of a handler.
///
/// ```
/// use redis_push::{State, Subscriber, WeakHandle, handlers, push_handler};
/// use std::sync::{Arc, OnceLock};
///
/// #[derive(Default)]
/// struct App {
///     subscriber: OnceLock<WeakHandle>,
/// }
///
/// #[push_handler(channel = "orders")]
/// async fn on_order(text: &str) {
///     println!("{text}");
/// }
///
/// #[push_handler(channel = "control")]
/// async fn on_control(command: &str, State(app): State<Arc<App>>) -> redis_push::Result<()> {
///     let Some(handle) = app.subscriber.get().and_then(WeakHandle::upgrade) else {
///         return Ok(()); // not set yet, or no handle is left
///     };
///     match command {
///         "pause" => handle.pause("on_order"),
///         _ => handle.resume("on_order"),
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = redis_push::testing::Broker::start().await?;
/// # let url = server.url();
/// let app = Arc::new(App::default());
/// let handle = Subscriber::new(url)
///     .state(Arc::clone(&app))
///     .handlers(handlers![on_order, on_control])
///     .start()
///     .await?;
/// let _ = app.subscriber.set(handle.downgrade());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct WeakHandle {
    running: Weak<Running>,
}

impl WeakHandle {
    /// Returns a handle, or `None` if the last one was dropped.
    ///
    /// The new handle keeps the subscriber alive as long as it exists. It may become the last one: a
    /// delivery that holds it then stops the subscriber at its end.
    #[must_use]
    pub fn upgrade(&self) -> Option<Handle> {
        let running = self.running.upgrade()?;
        Some(Handle { running })
    }
}

impl Handle {
    /// Returns a handle that does not keep the subscriber alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakHandle {
        let running = Arc::downgrade(&self.running);
        WeakHandle { running }
    }
}

impl fmt::Debug for WeakHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakHandle")
            .field("is_alive", &(self.running.strong_count() > 0))
            .finish()
    }
}
