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

use redis_push_template::{Parser, Piece, SEPARATORS, push_escaped};

/// A channel name with params, such as `quotes.{symbol}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Template {
    segments: Cow<'static, [Segment]>,
}

/// A segment of a template.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    Literal(Cow<'static, str>),
    Param(Cow<'static, str>),
    Rest(Cow<'static, str>),
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
        let mut segments = Vec::new();
        for piece in Parser::new(text) {
            let piece = piece.map_err(|problem| TemplateError {
                text: text.to_owned(),
                problem: problem.to_string(),
            })?;
            match (piece, segments.last_mut()) {
                (Piece::Literal(more), Some(Segment::Literal(literal))) => {
                    literal.to_mut().push_str(more);
                }
                (Piece::Literal(text), _) => segments.push(Segment::Literal(owned(text))),
                (Piece::Param(name), _) => segments.push(Segment::Param(owned(name))),
                (Piece::Rest(name), _) => segments.push(Segment::Rest(owned(name))),
            }
        }
        Ok(Self {
            segments: segments.into(),
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
        let mut glob = String::new();
        for segment in &*self.segments {
            match segment {
                Segment::Literal(text) => push_escaped(&mut glob, text),
                Segment::Param(_) | Segment::Rest(_) => glob.push('*'),
            }
        }
        glob
    }

    /// Adds literal text before the template: before the keys, for a keyspace.
    pub(crate) fn prefixed(self, prefix: &str) -> Self {
        let mut segments = self.segments.into_owned();
        match &mut segments[..] {
            // A keyspace: the prefix belongs to the keys, not to the channel.
            [
                Segment::Literal(keyspace),
                Segment::Param(_),
                Segment::Literal(keys),
                ..,
            ] if *keyspace == "__keyspace@" && keys.starts_with("__:") => {
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
            if let Some(at) = names.iter().position(|name| segment.is_named(name)) {
                found[at] = text;
            }
            rest = &rest[text.len()..];
        }
        (rest.is_empty() && found.iter().all(|text| !text.is_empty())).then_some(found)
    }

    /// Returns the names of the params, in order.
    pub(crate) fn params(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Param(name) | Segment::Rest(name) => Some(&**name),
        })
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
            let (Segment::Param(name) | Segment::Rest(name)) = segment else {
                channel.push_str(segment.text());
                continue;
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
        format!(
            "the param `{name}` is {shown:?}{more}, which could not be read back from a channel \
             `{self}`"
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

fn owned(text: &str) -> Cow<'static, str> {
    Cow::Owned(text.to_owned())
}

impl Segment {
    fn text(&self) -> &str {
        let (Self::Literal(text) | Self::Param(text) | Self::Rest(text)) = self;
        text
    }

    fn is_named(&self, wanted: &str) -> bool {
        match self {
            Self::Literal(_) => false,
            Self::Param(name) | Self::Rest(name) => name == wanted,
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

/// Why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    text: String,
    problem: String,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, problem } = self;
        let text = text.escape_debug();
        write!(f, "`{text}` is not a channel template: {problem}")
    }
}

impl std::error::Error for TemplateError {}

#[cfg(test)]
mod tests;
