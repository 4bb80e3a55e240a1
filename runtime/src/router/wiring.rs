//! The table of mounted handlers: what each one listens to, and its policies.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::broadcast::Overflow;
use crate::handler::{OnError, Spec};
use crate::subscription::{Kind, Subscription, in_words};

/// A table of the handlers mounted on a subscriber: one row for each handler, in the order of
/// mounting.
///
/// `Display` prints a table, with the policies that are not the default; serde writes all policies.
/// A service can keep either as a snapshot, whose diff then shows when a handler listens to something
/// else. Line numbers change with every edit above them: `{:#}` leaves them out.
///
/// ```
/// use redis_push::{Json, PushMessage, Subscriber, handlers, push_handler};
///
/// #[derive(PushMessage)]
/// #[push(channel = "quotes.{symbol}")]
/// struct Quote {
///     symbol: String,
///     bid: f64,
/// }
///
/// #[push_handler(workers = 4, ordered_by = symbol)]
/// async fn on_quote(quote: Quote) {
///     println!("{} {}", quote.symbol, quote.bid);
/// }
///
/// #[push_handler(channel = "alerts", timeout = "5s")]
/// async fn on_alert(Json(text): Json<String>) {
///     println!("{text}");
/// }
///
/// let subscriber = Subscriber::new("redis://127.0.0.1/").handlers(handlers![on_quote, on_alert]);
/// # let places = subscriber.wiring().handlers[0].file.clone().unwrap();
/// # let text = format!("{:#}", subscriber.wiring()).replace(&places, "src/quotes.rs");
/// # let text = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
/// # let text = text.collect::<Vec<_>>().join("\n");
/// # assert_eq!(text, "\
/// # handler written in listens to message codec policies
/// # on_quote src/quotes.rs channels `quotes.{symbol}` Quote json workers = 4, ordered_by = symbol
/// # on_alert src/quotes.rs channel `alerts` Json<String> json timeout = 5s");
/// println!("{}", subscriber.wiring());
/// ```
///
/// ```text
/// handler   written in        listens to                  message       codec  policies
/// on_quote  src/quotes.rs:10  channels `quotes.{symbol}`  Quote         json   workers = 4, ordered_by = symbol
/// on_alert  src/quotes.rs:15  channel `alerts`            Json<String>  json   timeout = 5s
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Wiring {
    /// The rows.
    pub handlers: Vec<HandlerWiring>,
}

/// How one handler is mounted: a row of a [`Wiring`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HandlerWiring {
    /// The handler's name.
    pub handler: String,
    /// The file in which the handler is written, as `file!()` returns it there.
    pub file: Option<String>,
    /// The line in that file.
    pub line: Option<u32>,
    /// What the handler listens to.
    pub subscriptions: Vec<SubscriptionWiring>,
    /// The type of its message, as written in the signature; `None` if it takes no message.
    pub message: Option<String>,
    /// How the message is decoded, such as `json`; `None` if the type does not determine it.
    pub codec: Option<String>,
    /// How many messages may wait.
    pub buffer: usize,
    /// How many bytes of messages may wait.
    pub buffer_bytes: usize,
    /// Which messages are dropped when the buffer is full.
    pub overflow: Overflow,
    /// How long one delivery may take; `None` without a limit.
    pub timeout: Option<Duration>,
    /// How many deliveries may run at once.
    pub workers: usize,
    /// The key by which messages stay in order.
    pub ordered_by: Option<String>,
    /// How long one delivery may run before the handler counts as stalled.
    pub stall_limit: Duration,
    /// Whether readiness depends on the handler.
    pub required: bool,
    /// The gap handler.
    pub on_gap: Option<String>,
    /// What happens after a delivery that did not succeed.
    #[serde(default)]
    pub on_error: OnError,
    /// How often a delivery that failed is repeated; 0 for never.
    #[serde(default)]
    pub retry: u32,
    /// The layers around each delivery, the outermost first.
    #[serde(default)]
    pub layers: Vec<String>,
}

/// What a handler listens to: a part of a [`HandlerWiring`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SubscriptionWiring {
    /// The kind of subscription on the server.
    pub kind: Kind,
    /// The name that is subscribed on the server: for a template with params its glob, or, if an
    /// address fills them in, the channel.
    pub name: String,
    /// The template, if it has params.
    pub template: Option<String>,
}

impl Wiring {
    pub(crate) fn of<'s>(specs: impl IntoIterator<Item = &'s Spec>) -> Self {
        let handlers = specs.into_iter().map(HandlerWiring::of).collect();
        Self { handlers }
    }

    /// Returns the row of the handler with this name, or the first of several.
    #[must_use]
    pub fn handler(&self, name: &str) -> Option<&HandlerWiring> {
        self.handlers.iter().find(|row| row.handler == name)
    }
}

impl HandlerWiring {
    pub(crate) fn of(spec: &Spec) -> Self {
        let message = spec.message.as_ref();
        let codec = message.map(|message| message.codec.to_string());
        Self {
            handler: spec.name.to_string(),
            file: spec.place.map(|(file, _)| file.to_owned()),
            line: spec.place.map(|(_, line)| line),
            subscriptions: spec
                .subscriptions
                .iter()
                .map(SubscriptionWiring::of)
                .collect(),
            message: message.map(|message| message.written.to_string()),
            codec: codec.filter(|codec| !codec.is_empty()),
            buffer: spec.budget.messages,
            buffer_bytes: spec.budget.bytes,
            overflow: spec.budget.overflow,
            timeout: spec.timeout,
            workers: spec.workers,
            ordered_by: spec.ordered_by.as_ref().map(ToString::to_string),
            stall_limit: spec.stall_limit,
            required: spec.required,
            on_gap: spec.on_gap.as_ref().map(ToString::to_string),
            on_error: spec.on_error,
            retry: spec.retry.as_ref().map_or(0, |retry| retry.times),
            layers: spec.layers.names().collect(),
        }
    }

    /// Logs the row: at the start of the subscriber, or when the handler is mounted later.
    pub(crate) fn log(&self) {
        let names: Vec<_> = self.subscriptions.iter().map(ToString::to_string).collect();
        let message = self.message.as_deref().unwrap_or("no message");
        tracing::info!(
            target: "redis_push",
            handler = self.handler,
            file = self.file,
            line = self.line,
            codec = self.codec,
            policies = self.policies(),
            "mounted: listens to {} and takes {message}",
            names.join(", "),
        );
    }

    /// Returns the cells of the table: a handler has one line for each subscription, and at least one.
    fn lines(&self, with_line_numbers: bool) -> Vec<[String; COLUMNS]> {
        let or_dash = |text: Option<&String>| text.map_or("-", String::as_str).to_owned();
        let mut place = or_dash(self.file.as_ref());
        if let Some(line) = self.line.filter(|_| with_line_numbers) {
            place.push_str(&format!(":{line}"));
        }
        let mut names = self.subscriptions.iter().map(ToString::to_string);
        let mut lines = vec![[
            self.handler.clone(),
            place,
            or_dash(names.next().as_ref()),
            or_dash(self.message.as_ref()),
            or_dash(self.codec.as_ref()),
            self.policies(),
        ]];
        lines.extend(names.map(|name| {
            let mut cells = [const { String::new() }; COLUMNS];
            cells[NAMES] = name;
            cells
        }));
        lines
    }
}

impl SubscriptionWiring {
    fn of(subscription: &Subscription) -> Self {
        Self {
            kind: subscription.kind(),
            name: subscription.name().to_owned(),
            template: subscription.params().map(ToString::to_string),
        }
    }
}

impl fmt::Display for SubscriptionWiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        in_words(f, self.kind, &self.name, self.template.as_deref())
    }
}

const COLUMNS: usize = 6;

/// The column of the subscriptions.
const NAMES: usize = 2;

impl fmt::Display for Wiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = [
            "handler",
            "written in",
            "listens to",
            "message",
            "codec",
            "policies",
        ];
        let mut lines = vec![head.map(str::to_owned)];
        lines.extend(
            self.handlers
                .iter()
                .flat_map(|row| row.lines(!f.alternate())),
        );
        let width = |column: usize| {
            let widths = lines.iter().map(|cells| cells[column].chars().count());
            widths.max().unwrap_or(0)
        };
        let widths: [usize; COLUMNS] = std::array::from_fn(width);
        for (index, cells) in lines.iter().enumerate() {
            let mut line = String::new();
            for (cell, width) in cells.iter().zip(widths) {
                line.push_str(&format!("{cell:<width$}  "));
            }
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::{Delivery, Next, Outcome, Retry};

    async fn outer(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
        next.run(delivery).await
    }

    async fn inner(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
        next.run(delivery).await
    }

    fn specs() -> [Spec; 3] {
        let quotes = Subscription::template("quotes.{symbol}").unwrap();
        let full = Spec::new("on_quote")
            .at("src/quotes.rs", 12)
            .takes("Quote", "json")
            .on(quotes)
            .on(Subscription::shard("{quotes}.all"))
            .buffer(16)
            .buffer_bytes(1024)
            .overflow(Overflow::Latest)
            .timeout(Duration::from_millis(250))
            .workers(4)
            .ordered_by("symbol")
            .stall_limit(Duration::from_secs(5))
            .required()
            .on_gap("resync")
            .on_error(OnError::Resync)
            .retry(Retry::times(3))
            .around(outer)
            .around(inner);
        let plain = Spec::new("by_hand").on(Subscription::pattern("a\n*"));
        [full, plain, Spec::new("nothing").takes("Own", "")]
    }

    #[test]
    fn the_table_is_aligned_and_shows_what_is_not_the_default() {
        let text = Wiring::of(&specs()).to_string();
        let expected = "\
handler   written in        listens to                      message  codec  policies
on_quote  src/quotes.rs:12  channels `quotes.{symbol}`      Quote    json   buffer = 16, \
buffer_bytes = 1024, overflow = latest, timeout = 250ms, workers = 4, ordered_by = symbol, \
stall_limit = 5s, required, on_gap = resync, on_error = resync, retry = 3, around = [outer, inner]
                            sharded channel `{quotes}.all`
by_hand   -                 pattern `a\\n*`                  -        -
nothing   -                 -                               Own      -";

        assert_eq!(text, expected, "\n{text}");
    }

    #[test]
    fn the_alternate_form_leaves_the_line_numbers_out() {
        let text = format!("{:#}", Wiring::of(&specs()));
        assert!(text.contains("src/quotes.rs  channels"), "{text}");
    }

    #[test]
    fn serde_writes_every_policy_and_reads_it_back() {
        let wiring = Wiring::of(&specs());
        let json = serde_json::to_value(&wiring).unwrap();
        let first = &json["handlers"][0];
        assert_eq!(first["overflow"], "latest");
        assert_eq!(first["subscriptions"][0]["kind"], "pattern");
        assert_eq!(first["subscriptions"][0]["name"], "quotes.*");
        assert_eq!(first["subscriptions"][0]["template"], "quotes.{symbol}");
        assert_eq!(first["subscriptions"][1]["kind"], "shard");
        assert_eq!(json["handlers"][1]["buffer"], 65_536);
        assert_eq!(serde_json::from_value::<Wiring>(json).unwrap(), wiring);
        assert_eq!(wiring.handler("by_hand"), Some(&wiring.handlers[1]));
        assert_eq!(wiring.handler("by hand"), None);
    }
}
