use std::borrow::Cow;
use std::fmt::{self, Display};

use redis_push_template::{Parser, Piece, SEPARATORS, push_escaped};

/// A channel name with params, such as `quotes.{symbol}`.
///
/// `redis_push_template` holds the grammar.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Template {
    segments: Cow<'static, [Segment]>,
}

/// A piece of a template.
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

    /// The pieces that the macros have written; none of a template parsed at run time.
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

    /// The whole text, where there is no param in it.
    pub(crate) fn as_literal(&self) -> Option<Cow<'_, str>> {
        match &*self.segments {
            [Segment::Literal(text)] => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }

    /// The glob that matches every channel of this template, and some that it does not describe.
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

    /// The same with literal text before it.
    pub(crate) fn prefixed(self, prefix: &str) -> Self {
        let mut segments = self.segments.into_owned();
        match &mut segments[..] {
            // The prefix is one of keys, not of the channel that tells of them.
            [
                Segment::Literal(space),
                Segment::Param(_),
                Segment::Literal(keys),
                ..,
            ] if *space == "__keyspace@" && keys.starts_with("__:") => {
                keys.to_mut().insert_str("__:".len(), prefix);
            }
            [Segment::Literal(text), ..] => text.to_mut().insert_str(0, prefix),
            _ => segments.insert(0, Segment::Literal(Cow::Owned(prefix.to_owned()))),
        }
        Self {
            segments: segments.into(),
        }
    }

    /// The text that each of `names` takes in `channel`; `None` if the channel is not of this
    /// template, or a name is not in it.
    ///
    /// Each literal is taken where it first occurs, the last one at the end. A later place for a
    /// literal could only help if the param before it were to swallow a separator, which params
    /// never do, so there is nothing to backtrack for.
    pub(crate) fn capture<'c, const N: usize>(
        &self,
        channel: &'c str,
        names: [&str; N],
    ) -> Option<[&'c str; N]> {
        let mut found = [""; N];
        let mut rest = channel;
        for (index, segment) in self.segments.iter().enumerate() {
            let taken = match segment {
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
            if taken.is_empty() {
                return None;
            }
            if let Some(place) = names.iter().position(|name| segment.is_named(name)) {
                found[place] = taken;
            }
            rest = &rest[taken.len()..];
        }
        (rest.is_empty() && found.iter().all(|text| !text.is_empty())).then_some(found)
    }

    /// The names of the params, in their order.
    pub(crate) fn params(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Param(name) | Segment::Rest(name) => Some(&**name),
        })
    }

    /// The name of the channel in which each param is the text of its value.
    ///
    /// # Errors
    ///
    /// Says which param could not be read back from the name as it is here.
    pub(crate) fn fill(&self, values: &[(&str, &dyn Display)]) -> Result<String, String> {
        let mut channel = String::new();
        let mut written = Vec::new();
        for segment in &*self.segments {
            let (Segment::Param(name) | Segment::Rest(name)) = segment else {
                channel.push_str(segment.text());
                continue;
            };
            let value = values.iter().find(|(of, _)| of == name);
            let (_, value) = value.ok_or_else(|| format!("there is no value for `{{{name}}}`"))?;
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
        const MOST: usize = 64;
        let shown: String = text.chars().take(MOST).collect();
        let more = match shown.len() < text.len() {
            true => "…",
            false => "",
        };
        format!(
            "the param `{name}` is {shown:?}{more}, which could not be read back from a channel \
             `{self}`"
        )
    }

    /// Where the param at `index` ends in `rest`, which starts with it.
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
