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
use std::ops::Range;

use redis_push_template::{SEPARATORS, is_separator};
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

    /// Returns whether both are equal. This does not read the texts if both are the same constant of the
    /// macros.
    #[inline]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.segments, &other.segments) {
            (Cow::Borrowed(one), Cow::Borrowed(other)) if std::ptr::eq(*one, *other) => true,
            (one, other) => one == other,
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

    /// Returns whether a channel matches the template. One that is not UTF-8 does not.
    pub(crate) fn matches(&self, channel: &[u8]) -> bool {
        // Most names are ASCII, and it takes less to see that.
        self.split(channel, |_, _| ())
            && (channel.is_ascii() || std::str::from_utf8(channel).is_ok())
    }

    /// Returns the text of each param in `names`; `None` if the channel does not match the
    /// template, or if the template has no such param.
    pub(crate) fn capture<'c, const N: usize>(
        &self,
        channel: &'c str,
        names: [&str; N],
    ) -> Option<[&'c str; N]> {
        let mut found = [""; N];
        let is_match = self.split(channel.as_bytes(), |param, range| {
            if let Some(at) = names.iter().position(|name| *name == param) {
                found[at] = &channel[range];
            }
        });
        (is_match && found.iter().all(|text| !text.is_empty())).then_some(found)
    }

    /// Calls `param` with the name of each param and where its text is in the channel. Returns whether the
    /// channel matches the template.
    ///
    /// Each literal matches where it first occurs, and the last one at the end. A later match of a
    /// literal could only help if the param before it contained a separator, which params never do.
    /// So there is no need to backtrack.
    ///
    /// This looks at bytes, one by one: a handler by a template pays for it at each push, names are short,
    /// and to set up a search takes longer. Literals and separators are whole characters, so a text
    /// between them is one as well.
    #[inline]
    fn split(&self, channel: &[u8], mut param: impl FnMut(&str, Range<usize>)) -> bool {
        let mut at = 0;
        let mut segments = self.segments.iter();
        while let Some(segment) = segments.next() {
            let rest = &channel[at..];
            let (name, len) = match segment {
                Segment::Literal(text) => {
                    if !rest.starts_with(text.as_bytes()) {
                        return false;
                    }
                    at += text.len();
                    continue;
                }
                Segment::Rest(name) => (name, rest.len()),
                Segment::Param(name) => match len_of_param(rest, segments.as_slice()) {
                    Some(len) => (name, len),
                    None => return false,
                },
            };
            if len == 0 {
                return false;
            }
            param(name, at..at + len);
            at += len;
        }
        at == channel.len()
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
}

/// Returns how long the param at the beginning of `rest` is, which is followed by `next` in the template;
/// `None` if that would be a text with a separator.
#[inline]
fn len_of_param(rest: &[u8], next: &[Segment]) -> Option<usize> {
    let len = match next {
        [Segment::Literal(last)] => rest.strip_suffix(last.as_bytes())?.len(),
        [Segment::Literal(text), ..] => return len_before(rest, text.as_bytes()),
        _ => rest.len(),
    };
    let has_separator = rest[..len].iter().any(|byte| is_separator(*byte));
    (!has_separator).then_some(len)
}

/// Returns where a literal first occurs after the first byte, if no separator is before it.
fn len_before(rest: &[u8], literal: &[u8]) -> Option<usize> {
    for (at, byte) in rest.iter().enumerate() {
        if at > 0 && literal.first() == Some(byte) && rest[at..].starts_with(literal) {
            return Some(at);
        }
        if is_separator(*byte) {
            return None;
        }
    }
    None
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
