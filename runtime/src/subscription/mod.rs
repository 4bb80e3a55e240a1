//! Subscriptions: what a handler listens to, and the names that the server knows.
//!
//! A [`Subscription`] has a [`Kind`] and a name. Together they are its key: the server confirms by
//! that key, and the dispatcher routes by it. A subscription may also have a [`Template`], which
//! splits the channel of each push into params. The name is then its glob (kind pattern), or the
//! template with the params filled in (kind channel). The grammar of templates is in the crate
//! `redis_push_template`, which the macros share.
//!
//! | kind | name | command |
//! | --- | --- | --- |
//! | channel | exact | `SUBSCRIBE` |
//! | pattern | glob | `PSUBSCRIBE` |
//! | shard | exact | `SSUBSCRIBE` |
//! | invalidation | key prefix | `CLIENT TRACKING`, with a [`TrackingFence`] |
//! | connection | empty | none |
//!
//! # In and out
//!
//! The macros create subscriptions in a `const`; a program creates them at run time, for a mount. A
//! `Router` puts its prefix before the names. `connection` sends the commands, `dispatch` and
//! `broadcast` work by the key and by a subscription's index in its handler's list, and `push`
//! reads the params with the template.
//!
//! # Invariants
//!
//! - Subscriptions with the same key are one subscription of the server, however many handlers have
//!   it. Their templates may differ.
//! - The glob of a template matches every channel that the template describes, and maybe others. A
//!   push on one of the others is counted `unmatched`.
//! - A channel with a template matches that template.
//! - A subscription does not change after the start.

mod fence;
mod index;
mod key_events;
mod prefix;
mod template;

#[cfg(feature = "testing")]
pub(crate) use fence::KitFence;
pub(crate) use fence::{PingFence, TrackingFence};
pub(crate) use index::Index;
pub(crate) use key_events::KeyEventFlags;
pub(crate) use template::Template;
pub use template::{Segment, TemplateError};

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of a subscription, which determines the command that subscribes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// One channel, by its exact name: `SUBSCRIBE`.
    Channel,
    /// All channels whose names match a glob: `PSUBSCRIBE`.
    Pattern,
    /// One sharded channel, by its exact name: `SSUBSCRIBE`.
    Shard,
    /// Invalidations of all keys that begin with a prefix: `CLIENT TRACKING`.
    Invalidation,
    /// The connection itself. No command is sent for it.
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

/// A subscription of a handler: a channel, a pattern, keys, or the connection.
///
/// The server knows a subscription by its [kind](Kind) and its name. Subscriptions with the same
/// kind and name need one `SUBSCRIBE`, however many handlers have them.
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
    /// How many bytes at the start of the channel's name are prefixes.
    prefix_len: usize,
}

impl Subscription {
    /// Returns whether both read the same out of the name of a channel: whether they have the same
    /// template and the same prefix.
    #[inline]
    pub(crate) fn reads_names_like(&self, other: &Self) -> bool {
        let has_same_template = match (&self.template, &other.template) {
            (Some(one), Some(other)) => one.is_same(other),
            (None, None) => true,
            _ => false,
        };
        has_same_template && self.prefix_len == other.prefix_len
    }

    /// Creates a subscription to one channel. The name is literal: `*` and `{` have no meaning in
    /// it.
    pub fn channel(name: impl Into<Cow<'static, str>>) -> Self {
        Self::verbatim(Kind::Channel, name.into())
    }

    /// Creates a subscription to all channels whose names match the glob.
    ///
    /// The server's rules apply: `?` is one byte, `*` is any number of bytes, `[a-c]` is a set, and
    /// `\` escapes the next byte.
    pub fn pattern(glob: impl Into<Cow<'static, str>>) -> Self {
        Self::verbatim(Kind::Pattern, glob.into())
    }

    /// Creates a subscription to one sharded channel (Redis 7.0 and newer).
    pub fn shard(name: impl Into<Cow<'static, str>>) -> Self {
        Self::verbatim(Kind::Shard, name.into())
    }

    /// Creates a subscription to invalidations of the keys that begin with `prefix`, in every
    /// database, for handlers that take an [`Invalidation`](crate::Invalidation). An empty prefix
    /// means all keys.
    ///
    /// The prefix is literal: `*` and `{` have no meaning in it. Prefixes may overlap, also with
    /// those of other handlers.
    pub fn invalidation(prefix: impl Into<Cow<'static, str>>) -> Self {
        Self::verbatim(Kind::Invalidation, prefix.into())
    }

    /// Creates a subscription to the connection, for handlers that take a
    /// [`ConnectionEvent`](crate::ConnectionEvent). Such a handler has no other subscription.
    #[must_use]
    pub const fn connection() -> Self {
        Self::verbatim(Kind::Connection, Cow::Borrowed(""))
    }

    /// Creates a subscription to the channels that a template such as `quotes.{symbol}` describes.
    ///
    /// A template without params is a channel, and a template with params is a pattern. A push on a
    /// channel that the pattern matches but the template does not is counted `unmatched`.
    ///
    /// # Errors
    ///
    /// When the text is not a template: see [`TemplateError`].
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

    /// Creates a subscription to the events of the keys that a template such as `user:{id}`
    /// describes, in every database, for handlers that take a [`KeyEvent`](crate::KeyEvent).
    ///
    /// The params are those of [`template`](Self::template), and `database`. `{key*}` matches every
    /// key that is UTF-8 and not empty; for keys of any bytes use
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
    /// When the text is not a template: see [`TemplateError`].
    pub fn keyspace(keys: &str) -> Result<Self, TemplateError> {
        // Parsed on its own first, so that an error shows the text of the caller.
        Template::parse(keys)?;
        Self::template(&format!("__keyspace@{{database}}__:{keys}"))
    }

    /// Creates a subscription in a `const`. It has no template.
    #[must_use]
    pub const fn from_static(kind: Kind, name: &'static str) -> Self {
        Self::verbatim(kind, Cow::Borrowed(name))
    }

    /// Creates a subscription from a template that the macros have parsed.
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

    /// Returns the subscription to the one channel whose params have these values. A subscription
    /// without a template stays as it is.
    ///
    /// The values are never part of a glob. The template stays, so that the params of a push can
    /// still be read from the name of its channel.
    ///
    /// # Errors
    ///
    /// Names the param whose value could not be read back from the channel name.
    pub(crate) fn filled(&self, values: &[(&str, &dyn fmt::Display)]) -> Result<Self, String> {
        let Some(template) = &self.template else {
            return Ok(self.clone());
        };
        Ok(Self {
            kind: Kind::Channel,
            name: template.fill(values)?.into(),
            ..self.clone()
        })
    }

    /// Returns the kind, which determines the subscribe command.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the name in the subscribe command: the glob of a template with params, the prefix of
    /// an invalidation, an empty name for the connection.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn is_pattern(&self) -> bool {
        matches!(self.kind, Kind::Pattern)
    }

    /// Returns whether the channels of another subscription, which has no template, may be channels of
    /// this template. For a glob, this compares the text before its first wildcard.
    pub(crate) fn may_describe(&self, other: &Self) -> bool {
        let Some(template) = &self.template else {
            return true;
        };
        match other.kind {
            Kind::Channel | Kind::Shard => {
                let name = other.without_prefix(&other.name);
                template.capture(name, []).is_some()
            }
            Kind::Pattern => {
                let glob = other.glob_without_prefix();
                may_both_match(&self.name, glob)
            }
            Kind::Invalidation | Kind::Connection => true,
        }
    }

    /// Returns whether this is a subscription to the events of keys.
    pub(crate) fn is_keyspace(&self) -> bool {
        self.template.as_ref().is_some_and(Template::is_keyspace)
    }

    /// Returns the name; for a pattern that is the glob of a template, the text of the template.
    pub(crate) fn text(&self) -> String {
        match &self.template {
            Some(template) if self.is_pattern() => template.to_string(),
            _ => self.name.clone().into_owned(),
        }
    }

    /// Returns the names of the template's params, in order.
    pub(crate) fn param_names(&self) -> Vec<&str> {
        self.template.iter().flat_map(Template::params).collect()
    }

    /// Returns the template, if the subscription has params. Its glob is the name of a pattern; the
    /// name of a channel is the template with the params filled in.
    #[inline]
    pub(crate) const fn params(&self) -> Option<&Template> {
        self.template.as_ref()
    }

    /// Returns the kind and the name, by which the server knows the subscription.
    pub(crate) fn key(&self) -> (Kind, &[u8]) {
        (self.kind, self.name.as_bytes())
    }
}

/// Returns false if the literal text at the beginning of two globs excludes that a channel matches both.
fn may_both_match(one: &str, other: &str) -> bool {
    const SPECIAL: [char; 4] = ['*', '?', '[', '\\'];
    let [one, other] = [one, other].map(|glob| glob.split(SPECIAL).next().unwrap_or_default());
    one.starts_with(other) || other.starts_with(one)
}

impl fmt::Display for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let template = self.template.as_ref().map(ToString::to_string);
        in_words(f, self.kind, &self.name, template.as_deref())
    }
}

/// Writes a subscription as logs, errors and the wiring show it.
pub(crate) fn in_words(
    f: &mut fmt::Formatter<'_>,
    kind: Kind,
    name: &str,
    template: Option<&str>,
) -> fmt::Result {
    // An exact name is that of one channel, even if a template describes its params.
    let template = template.filter(|_| kind == Kind::Pattern);
    let shown = template.unwrap_or(name).escape_debug();
    match kind {
        _ if template.is_some() => write!(f, "channels `{shown}`"),
        Kind::Channel | Kind::Pattern | Kind::Shard => write!(f, "{kind} `{shown}`"),
        Kind::Invalidation if name.is_empty() => f.write_str("invalidations of all keys"),
        Kind::Invalidation => write!(f, "invalidations of keys `{shown}…`"),
        Kind::Connection => f.write_str("the connection"),
    }
}
