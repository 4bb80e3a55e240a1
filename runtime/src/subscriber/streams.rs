use super::handle::Handle;
use crate::stream::{Subscribable, Subscribe};

impl Handle {
    /// Begins a stream: the messages of an address, for whoever reads it.
    ///
    /// ```
    /// # use redis_push::{Event, Subscriber, Subscription, testing::Broker};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Broker::start().await?;
    /// # let handle = Subscriber::new(server.url()).start().await?;
    /// let mut alerts = handle.subscribe(Subscription::channel("alerts")).await?;
    /// server.publish("alerts", "fire");
    /// assert!(matches!(alerts.next().await, Some(Event::Gap(_)))); // the beginning
    /// assert!(matches!(alerts.next().await, Some(Event::Message(text)) if text == "fire"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The subscribe command is sent when the returned value is awaited. It is one command per name,
    /// however many streams and handlers listen to the name. See [`Subscribe`] for the options and the
    /// errors, and [`EventStream`](crate::EventStream) for what a stream does.
    pub fn subscribe<T, A: Subscribable<Message = T>>(&self, to: A) -> Subscribe<T> {
        Subscribe::new(self.running.streams.clone(), to)
    }
}
