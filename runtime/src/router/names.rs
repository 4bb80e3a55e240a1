//! Which names a mounted handler listens to, if not those of its attribute.

use super::Mount;
use crate::subscription::Subscription;

impl<S: Send + Sync + 'static> Mount<S> {
    /// Overrides the subscriptions of the handler's attribute, for example with a name from the
    /// configuration. A second call adds another subscription.
    ///
    /// ```
    /// use redis_push::{Mount, Subscription, handlers, push_handler};
    ///
    /// #[push_handler(channel = "alerts")]
    /// async fn on_alert(text: &str) {
    ///     println!("{text}");
    /// }
    ///
    /// let name = String::from("alerts.staging");
    /// let mounts: Vec<Mount<()>> = handlers![on_alert.on(Subscription::channel(name))];
    /// ```
    #[must_use]
    pub fn on(mut self, subscription: Subscription) -> Self {
        if !std::mem::replace(&mut self.has_own_subscriptions, true) {
            self.spec = self.spec.with_subscriptions(Vec::new());
        }
        self.spec = self.spec.on(subscription);
        self
    }

    /// Adds a prefix to every name that the handler listens to, including those that were set with
    /// [`on`](Self::on) so far.
    ///
    /// The prefix is literal, in a pattern too. Params keep their names and their values: a message
    /// type that names its channel is matched against the rest of the name, after the prefix. The
    /// prefix does not apply to what the handler publishes.
    ///
    /// ```
    /// use redis_push::{Mount, PushMessage, handlers, push_handler};
    ///
    /// #[derive(PushMessage)]
    /// #[push(channel = "quotes.{symbol}")]
    /// struct Quote {
    ///     symbol: String,
    ///     bid: f64,
    /// }
    ///
    /// #[push_handler]
    /// async fn on_quote(quote: Quote) {
    ///     println!("{} {}", quote.symbol, quote.bid);
    /// }
    ///
    /// // Listens to `eu:quotes.{symbol}`: a `Quote` of `eu:quotes.ACME` has the symbol `ACME`.
    /// let mounts: Vec<Mount<()>> = handlers![on_quote.prefix("eu:")];
    /// ```
    ///
    /// After several calls, the prefix of the last call comes first. For several handlers at once,
    /// use [`Router::prefix`](crate::Router::prefix).
    #[must_use]
    pub fn prefix(mut self, prefix: impl AsRef<str>) -> Self {
        let subscriptions = std::mem::take(&mut self.spec.subscriptions);
        let event = subscriptions.iter().find(|name| name.is_of_one_event());
        let mistake = event.map(|event| {
            format!(
                "{}: no prefix can go before `{}`, which names an event and not keys; \
                 listen to the keys with `keyspace = \"…\"`, or mount the handler without the prefix",
                self.spec.label(),
                event.name(),
            )
        });
        self.add_mistake(mistake);
        let prefixed = subscriptions
            .into_iter()
            .map(|subscription| subscription.prefixed(prefix.as_ref()))
            .collect();
        self.spec = self.spec.with_subscriptions(prefixed);
        self
    }

    /// Adds a reason why no subscriber starts with this mount.
    fn add_mistake(&mut self, mistake: Option<String>) {
        let mistakes = self.mistake.take().into_iter().chain(mistake);
        self.mistake = mistakes.reduce(|before, mistake| format!("{before}\n{mistake}"));
    }
}
