use super::handle::Handle;
use crate::stream::{Subscribable, Subscribe};

impl Handle {
    /// Begins a stream: the messages of an address, for whoever reads it.
    ///
    /// ```
    /// use redis_push::{Event, PushMessage, Subscriber};
    ///
    /// #[derive(PushMessage)]
    /// #[push(channel = "quotes.{symbol}")]
    /// struct Quote {
    ///     symbol: String,
    ///     bid: f64,
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = redis_push::testing::Broker::start().await?;
    /// # let url = server.url();
    /// let handle = Subscriber::new(url).start().await?;
    /// let mut quotes = handle.subscribe(Quote::at("ACME")).latest().await?; // the server has confirmed
    /// # server.publish("quotes.ACME", r#"{"bid":41.5}"#);
    /// while let Some(event) = quotes.next().await {
    ///     match event {
    ///         Event::Gap(gap) => println!("load the current quote: {gap}"), // the first item too
    ///         Event::Message(quote) => {
    ///             println!("{} {}", quote.symbol, quote.bid);
    ///             # break;
    ///         }
    ///         _ => {}
    ///     }
    /// }
    /// drop(quotes); // the last stream of a name unsubscribes
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A [`Subscription`](crate::Subscription) has messages of [`Bytes`](crate::Bytes), unless
    /// [`decode`](Subscribe::decode) says otherwise.
    ///
    /// The subscribe command is sent when the returned value is awaited. It is one command per name,
    /// however many streams and handlers listen to the name. See [`Subscribe`] for the options and the
    /// errors, and [`EventStream`](crate::EventStream) for what a stream does.
    pub fn subscribe<T, A: Subscribable<Message = T>>(&self, to: A) -> Subscribe<T> {
        Subscribe::new(self.running.streams.clone(), to)
    }
}
