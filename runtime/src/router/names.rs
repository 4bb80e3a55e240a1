//! Which names a mounted handler listens to, if not those of its attribute.

use std::borrow::Cow;
use std::panic::Location;

use super::Mount;
use crate::message::{IntoSubscriptions, Subscribed};
#[cfg(doc)]
use crate::subscription::Subscription;

impl<S: Send + Sync + 'static> Mount<S> {
    /// Overrides the subscriptions of the handler's attribute, or of its message type: with a
    /// [`Subscription`] whose name comes from the configuration, or with the
    /// [`Address`](crate::Address) of the message type. A second call adds another subscription.
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
    ///
    /// At an address the params of the message type are filled in, so the handler receives only the
    /// messages of that channel:
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
    /// let symbol = String::from("ACME");
    /// let mounts: Vec<Mount<()>> = handlers![on_quote.on(Quote::at(&symbol))];
    /// ```
    ///
    /// # Errors
    ///
    /// This method cannot fail. [`Subscriber::start`](crate::Subscriber::start) returns an error, which
    /// names the handler and this mount, if the address
    ///
    /// - is not valid, because of a value that its template would not read back;
    /// - is one of another message type than the handler takes. A handler that takes
    ///   [`Json`](crate::Json), [`Text`](crate::Text), text or bytes can be mounted on any address.
    #[must_use]
    #[track_caller]
    pub fn on(mut self, to: impl IntoSubscriptions) -> Self {
        if !std::mem::replace(&mut self.has_own_subscriptions, true) {
            self.spec = self.spec.with_subscriptions(Vec::new());
        }
        self.spec.has_given_names = true;
        let place = Location::caller();
        let Subscribed {
            subscriptions,
            type_name,
        } = to.into_subscribed();
        let message = self.spec.message.as_ref();
        let taken = message.and_then(|message| message.whole_name);
        let problem = match (&subscriptions, type_name, taken) {
            (Err(error), ..) => Some(format!("an address that is not valid: {error}")),
            (Ok(_), Some(of), Some(taken)) if of() != taken() => Some(format!(
                "an address of `{}`, but takes `{}`: use an address of that type, or take the \
                 payload as `Json<T>`, text or bytes",
                of(),
                taken(),
            )),
            _ => None,
        };
        self.add_mistake(problem.map(|problem| {
            let label = self.spec.label();
            format!("{label} is mounted at {place} on {problem}")
        }));
        for subscription in subscriptions.into_iter().flat_map(Cow::into_owned) {
            self.spec = self.spec.on(subscription);
        }
        self
    }

    /// Adds a prefix to every name that the handler listens to, including those that were set with
    /// [`on`](Self::on) so far, and to every channel on which it publishes.
    ///
    /// The prefix is literal, in a pattern too. Params keep their names and their values: a message
    /// type that names its channel is matched against the rest of the name, after the prefix.
    ///
    /// The handler publishes under the prefix what it returns as [`Publish`](crate::Publish), and what it
    /// publishes through a [`Publisher`](crate::Publisher) argument, whatever channel it names. A publisher
    /// from the state is not affected: with it the handler reaches channels without the prefix.
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
        let events = self.spec.subscriptions.iter();
        let events = events.filter(|name| name.is_of_one_event());
        let mistakes: Vec<_> = events
            .map(|event| {
                format!(
                    "{}: no prefix can go before `{}`, which names an event and not keys; listen to \
                     the keys with `keyspace = \"…\"`, or mount the handler without the prefix",
                    self.spec.label(),
                    event.name(),
                )
            })
            .collect();
        for mistake in mistakes {
            self.add_mistake(Some(mistake));
        }
        self.spec = self.spec.prefixed(prefix.as_ref());
        self.prefix.insert_str(0, prefix.as_ref());
        self
    }

    /// Adds a reason why no subscriber starts with this mount.
    fn add_mistake(&mut self, mistake: Option<String>) {
        let known = self.mistake.as_deref().unwrap_or_default();
        // A second prefix makes the same mistake.
        let mistake = mistake.filter(|mistake| !known.lines().any(|line| line == mistake));
        let mistakes = self.mistake.take().into_iter().chain(mistake);
        self.mistake = mistakes.reduce(|before, mistake| format!("{before}\n{mistake}"));
    }
}
