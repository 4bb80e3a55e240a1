mod fence;
mod template;

pub(crate) use fence::TrackingFence;
pub(crate) use template::Template;
pub use template::{Segment, TemplateError};

use std::borrow::Cow;
use std::fmt;

use redis_push_template::push_escaped;
use serde::{Deserialize, Serialize};

/// How a name is subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// One channel, by its exact name: `SUBSCRIBE`.
    Channel,
    /// Every channel that a glob matches: `PSUBSCRIBE`.
    Pattern,
    /// One sharded channel, by its exact name: `SSUBSCRIBE`.
    Shard,
    /// Every key that begins with a prefix, when its value may have changed: `CLIENT TRACKING`.
    Invalidation,
    /// The connection itself; the server is not asked for it.
    Connection,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Channel => "channel",
            Self::Pattern => "pattern",
            Self::Shard => "sharded channel",
            Self::Invalidation => "invalidation",
            Self::Connection => "connection",
        })
    }
}

/// What a handler listens to.
///
/// The server knows a subscription by its [kind](Kind) and its name; two subscriptions with the
/// same kind and name are one `SUBSCRIBE`, however many handlers ask for it.
///
/// ```
/// use redis_push::{Kind, Subscription};
///
/// let alerts = Subscription::channel("alerts");
/// assert_eq!((alerts.kind(), alerts.name()), (Kind::Channel, "alerts"));
///
/// let quotes = Subscription::template("quotes.{symbol}")?;
/// assert_eq!((quotes.kind(), quotes.name()), (Kind::Pattern, "quotes.*"));
/// # Ok::<(), redis_push::TemplateError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subscription {
    kind: Kind,
    name: Cow<'static, str>,
    template: Option<Template>,
    /// How many bytes of the channel's name a prefix has put before it.
    prefix_len: usize,
}

impl Subscription {
    /// Listens to one channel. The name is taken as it is: `*` and `{` have no meaning in it.
    pub fn channel(name: impl Into<Cow<'static, str>>) -> Self {
        Self::verbatim(Kind::Channel, name.into())
    }

    /// Listens to every channel whose name the glob matches.
    ///
    /// The server's rules hold: `?` is one byte, `*` any number, `[a-c]` a set, and `\` takes the
    /// meaning off the next byte.
    pub fn pattern(glob: impl Into<Cow<'static, str>>) -> Self {
        Self::verbatim(Kind::Pattern, glob.into())
    }

    /// Listens to one sharded channel (Redis 7.0 and newer).
    pub fn shard(name: impl Into<Cow<'static, str>>) -> Self {
        Self::verbatim(Kind::Shard, name.into())
    }

    /// Listens to the keys that begin with `prefix`, in every database: for handlers that take an
    /// [`Invalidation`](crate::Invalidation). An empty prefix stands for all keys.
    ///
    /// The prefix is taken as it is: `*` and `{` have no meaning in it. Prefixes may overlap, with
    /// those of other handlers too.
    pub fn invalidation(prefix: impl Into<Cow<'static, str>>) -> Self {
        Self::verbatim(Kind::Invalidation, prefix.into())
    }

    /// Listens to the connection: for handlers that take a
    /// [`ConnectionEvent`](crate::ConnectionEvent), and listen to nothing else.
    #[must_use]
    pub const fn connection() -> Self {
        Self::verbatim(Kind::Connection, Cow::Borrowed(""))
    }

    /// Listens to the channels that a template such as `quotes.{symbol}` describes.
    ///
    /// A template without params is a channel; one with params is a pattern, and a channel that
    /// the pattern matches but the template does not is counted `unmatched`.
    ///
    /// # Errors
    ///
    /// When the text is no template: see [`TemplateError`].
    pub fn template(text: &str) -> Result<Self, TemplateError> {
        let template = Template::parse(text)?;
        Ok(match template.as_literal() {
            Some(name) => Self::verbatim(Kind::Channel, name.into_owned().into()),
            None => Self {
                kind: Kind::Pattern,
                name: template.glob().into(),
                template: Some(template),
                prefix_len: 0,
            },
        })
    }

    /// Listens to what happens to the keys that a template such as `user:{id}` describes, in every
    /// database: for handlers that take a [`KeyEvent`](crate::KeyEvent).
    ///
    /// Params are those of [`template`](Self::template), and `database` is one more. `{key*}` is
    /// every key that is UTF-8 and not empty; for keys of any bytes take
    /// `Subscription::pattern("__keyspace@*__:*")`.
    ///
    /// ```
    /// use redis_push::Subscription;
    ///
    /// let users = Subscription::keyspace("user:{id}")?;
    /// assert_eq!(users.name(), "__keyspace@*__:user:*");
    /// # Ok::<(), redis_push::TemplateError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the text is no template: see [`TemplateError`].
    pub fn keyspace(keys: &str) -> Result<Self, TemplateError> {
        // What is wrong with the keys is told in their own words.
        Template::parse(keys)?;
        Self::template(&format!("__keyspace@{{database}}__:{keys}"))
    }

    /// Builds a subscription other than of a template in a `const`.
    #[must_use]
    pub const fn from_static(kind: Kind, name: &'static str) -> Self {
        Self::verbatim(kind, Cow::Borrowed(name))
    }

    /// Builds a subscription from a template that the macros have parsed.
    #[doc(hidden)]
    #[must_use]
    pub const fn from_segments(glob: &'static str, segments: &'static [Segment]) -> Self {
        Self {
            kind: Kind::Pattern,
            name: Cow::Borrowed(glob),
            template: Some(Template::from_segments(segments)),
            prefix_len: 0,
        }
    }

    const fn verbatim(kind: Kind, name: Cow<'static, str>) -> Self {
        Self {
            kind,
            name,
            template: None,
            prefix_len: 0,
        }
    }

    /// The same with literal text before every name that it listens to.
    pub(crate) fn prefixed(self, prefix: &str) -> Self {
        let template = self.template.map(|template| template.prefixed(prefix));
        let (space, rest) = split_keyspace(&self.name);
        let name = match (&template, self.kind) {
            (Some(template), _) => template.glob(),
            (None, Kind::Pattern) => {
                let mut glob = space.to_owned();
                push_escaped(&mut glob, prefix);
                glob + rest
            }
            (None, Kind::Channel | Kind::Shard) => format!("{space}{prefix}{rest}"),
            (None, Kind::Invalidation) => format!("{prefix}{}", self.name),
            // It has no name.
            (None, Kind::Connection) => String::new(),
        };
        Self {
            kind: self.kind,
            name: name.into(),
            template,
            prefix_len: self.prefix_len + prefix.len(),
        }
    }

    /// A channel's name without the prefix that it has by this subscription.
    pub(crate) fn without_prefix<'c>(&self, channel: &'c str) -> &'c str {
        channel.get(self.prefix_len..).unwrap_or_default()
    }

    /// How the server is asked for it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The name the server is asked for; for a template with params its glob, for an invalidation
    /// the prefix, and empty for the connection.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn is_pattern(&self) -> bool {
        matches!(self.kind, Kind::Pattern)
    }

    /// The template, or else the name.
    pub(crate) fn text(&self) -> String {
        match &self.template {
            Some(template) => template.to_string(),
            None => self.name.clone().into_owned(),
        }
    }

    /// The names of the template's params, in their order.
    pub(crate) fn param_names(&self) -> Vec<&str> {
        self.template.iter().flat_map(Template::params).collect()
    }

    #[inline]
    pub(crate) const fn params(&self) -> Option<&Template> {
        self.template.as_ref()
    }

    pub(crate) fn key(&self) -> (Kind, &[u8]) {
        (self.kind, self.name.as_bytes())
    }
}

/// The part of a name that is not of a key, where the channel tells of keys.
fn split_keyspace(name: &str) -> (&str, &str) {
    let end = name
        .strip_prefix("__keyspace@")
        .and_then(|_| name.find("__:"))
        .map_or(0, |at| at + "__:".len());
    name.split_at(end)
}

impl fmt::Display for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let template = self.template.as_ref().map(ToString::to_string);
        in_words(f, self.kind, &self.name, template.as_deref())
    }
}

/// Says what is listened to, as logs, errors and the wiring do.
pub(crate) fn in_words(
    f: &mut fmt::Formatter<'_>,
    kind: Kind,
    name: &str,
    template: Option<&str>,
) -> fmt::Result {
    let shown = template.unwrap_or(name).escape_debug();
    match kind {
        _ if template.is_some() => write!(f, "channels `{shown}`"),
        Kind::Channel | Kind::Pattern | Kind::Shard => write!(f, "{kind} `{shown}`"),
        Kind::Invalidation if name.is_empty() => f.write_str("invalidations of all keys"),
        Kind::Invalidation => write!(f, "invalidations of keys `{shown}…`"),
        Kind::Connection => f.write_str("the connection"),
    }
}
