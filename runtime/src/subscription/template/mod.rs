//! Templates: channel names with params, such as `quotes.{symbol}`.
//!
//! A [`Template`] is a list of [`Segment`]s: literal text, params, and at most one param that takes
//! the rest. It works in both directions:
//!
//! ```text
//! "quotes.{symbol}" ──parse──▶ Template ──glob──────────────▶ "quotes.*", for the server
//!                                       ──capture(channel)──▶ the text of each param
//!                                       ──fill(values)──────▶ a channel to publish on
//! ```
//!
//! The macros parse templates at compile time with the same grammar, which the crate
//! `redis_push_template` holds, and pass the segments as a constant. Templates of a program are
//! parsed at run time.
//!
//! # Invariants
//!
//! - Between two params there is literal text, which matches where it first occurs. So a channel
//!   splits in at most one way.
//! - A param is not empty and contains no separator (`.`, `:`, `/`), unless it takes the rest.
//! - What `fill` returns is captured as the same values again; values for which this fails are an
//!   error.

use std::borrow::Cow;
use std::fmt::{self, Display};

use redis_push_template::SEPARATORS;
pub use redis_push_template::{Segment, TemplateError};

/// A channel name with params, such as `quotes.{symbol}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Template {
    segments: Cow<'static, [Segment]>,
}

impl Template {
    pub(crate) const fn from_segments(segments: &'static [Segment]) -> Self {
        Self {
            segments: Cow::Borrowed(segments),
        }
    }

    /// Returns the segments that the macros have written; empty for a template that was parsed at
    /// run time.
    pub(crate) const fn static_segments(&self) -> &[Segment] {
        match &self.segments {
            Cow::Borrowed(segments) => segments,
            Cow::Owned(_) => &[],
        }
    }

    #[cfg(all(redis_push_internals, feature = "testing"))]
    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        Ok(Self {
            segments: redis_push_template::parse(text)?.into(),
        })
    }

    /// Returns the literal text of a template without params.
    pub(crate) fn as_literal(&self) -> Option<Cow<'_, str>> {
        match &*self.segments {
            [Segment::Literal(text)] => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }

    /// Returns a glob that matches every channel of this template. It may match other channels too.
    pub(crate) fn glob(&self) -> String {
        redis_push_template::glob(&self.segments)
    }

    /// Whether this is a template of keys, as `Subscription::keyspace` makes it.
    pub(crate) fn is_keyspace(&self) -> bool {
        matches!(
            &self.segments[..],
            [Segment::Literal(keyspace), Segment::Param(_), Segment::Literal(keys), ..]
                if *keyspace == "__keyspace@" && keys.starts_with("__:")
        )
    }

    /// Adds literal text before the template: before the keys, for a keyspace.
    pub(crate) fn prefixed(self, prefix: &str) -> Self {
        let is_keyspace = self.is_keyspace();
        let mut segments = self.segments.into_owned();
        match &mut segments[..] {
            // The prefix belongs to the keys, not to the channel.
            [_, _, Segment::Literal(keys), ..] if is_keyspace => {
                keys.to_mut().insert_str("__:".len(), prefix);
            }
            [Segment::Literal(text), ..] => text.to_mut().insert_str(0, prefix),
            _ => segments.insert(0, Segment::Literal(Cow::Owned(prefix.to_owned()))),
        }
        Self {
            segments: segments.into(),
        }
    }

    /// Returns the text of each param in `names`; `None` if the channel does not match the
    /// template, or if the template has no such param.
    ///
    /// Each literal matches where it first occurs, and the last one at the end. A later match of a
    /// literal could only help if the param before it contained a separator, which params never do.
    /// So there is no need to backtrack.
    pub(crate) fn capture<'c, const N: usize>(
        &self,
        channel: &'c str,
        names: [&str; N],
    ) -> Option<[&'c str; N]> {
        let mut found = [""; N];
        let mut rest = channel;
        for (index, segment) in self.segments.iter().enumerate() {
            let text = match segment {
                Segment::Literal(text) => {
                    rest = rest.strip_prefix(&**text)?;
                    continue;
                }
                Segment::Rest(_) => rest,
                Segment::Param(_) => {
                    let text = &rest[..self.end_of_param(index, rest)?];
                    if text.contains(SEPARATORS) {
                        return None;
                    }
                    text
                }
            };
            if text.is_empty() {
                return None;
            }
            if let Some(at) = names.iter().position(|name| segment.param() == Some(name)) {
                found[at] = text;
            }
            rest = &rest[text.len()..];
        }
        (rest.is_empty() && found.iter().all(|text| !text.is_empty())).then_some(found)
    }

    /// Returns the names of the params, in order.
    pub(crate) fn params(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(Segment::param)
    }

    /// Returns the channel name in which each param is replaced with the text of its value.
    ///
    /// # Errors
    ///
    /// Names the param whose value could not be read back from the channel name.
    pub(crate) fn fill(&self, values: &[(&str, &dyn Display)]) -> Result<String, String> {
        let mut channel = String::new();
        let mut written = Vec::new();
        for segment in &*self.segments {
            let name = match segment {
                Segment::Literal(text) => {
                    channel.push_str(text);
                    continue;
                }
                Segment::Param(name) | Segment::Rest(name) => name,
            };
            let (_, value) = values
                .iter()
                .find(|(param, _)| param == name)
                .ok_or_else(|| format!("there is no value for `{{{name}}}`"))?;
            let text = value.to_string();
            channel.push_str(&text);
            let is_split = matches!(segment, Segment::Param(_)) && text.contains(SEPARATORS);
            if text.is_empty() || is_split {
                return Err(self.cannot_hold(name, &text));
            }
            written.push((name, text));
        }
        for (name, text) in &written {
            if self.capture(&channel, [&**name]) != Some([&**text]) {
                return Err(self.cannot_hold(name, text));
            }
        }
        Ok(channel)
    }

    fn cannot_hold(&self, name: &str, text: &str) -> String {
        const MAX_CHARS: usize = 64;
        let shown: String = text.chars().take(MAX_CHARS).collect();
        let more = if shown.len() < text.len() { "…" } else { "" };
        let takes_no_separator =
            matches!(self.segments.last(), Some(Segment::Param(last)) if last == name);
        let hint = if takes_no_separator && text.contains(SEPARATORS) {
            format!("; `{{{name}*}}` in its place takes `.`, `:` and `/` too")
        } else {
            String::new()
        };
        format!(
            "the param `{name}` is {shown:?}{more}, which could not be read back from a channel \
             `{self}`{hint}"
        )
    }

    /// Returns where the param at `index` ends in `rest`, which starts with that param.
    fn end_of_param(&self, index: usize, rest: &str) -> Option<usize> {
        match self.segments.get(index + 1) {
            Some(Segment::Literal(text)) if index + 2 == self.segments.len() => {
                rest.strip_suffix(&**text).map(str::len)
            }
            Some(Segment::Literal(text)) => {
                let first = rest.chars().next()?.len_utf8();
                rest[first..].find(&**text).map(|at| first + at)
            }
            _ => Some(rest.len()),
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &*self.segments {
            match segment {
                Segment::Literal(text) => {
                    f.write_str(&text.replace('{', "{{").replace('}', "}}"))?;
                }
                Segment::Param(name) => write!(f, "{{{name}}}")?,
                Segment::Rest(name) => write!(f, "{{{name}*}}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
