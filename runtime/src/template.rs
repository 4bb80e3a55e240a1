use std::borrow::Cow;
use std::fmt::{self, Display};

/// A channel name with params, such as `quotes.{symbol}`.
///
/// `{name}` takes one or more characters other than `.`, `:` and `/`; `{name*}`, at the end, takes
/// the rest; `{{` and `}}` are literal braces. Params are separated by literal text.
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

const SEPARATORS: [char; 3] = ['.', ':', '/'];

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

    #[cfg(feature = "__fuzz")]
    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let fail = |problem| TemplateError {
            text: text.to_owned(),
            problem,
        };
        let mut segments = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            if rest.starts_with("{{") || rest.starts_with("}}") {
                literal.push(next);
                rest = &rest[2..];
            } else if next == '}' {
                return Err(fail(Problem::Unopened));
            } else if let Some(inner) = rest.strip_prefix('{') {
                let (name, after) = inner
                    .split_once('}')
                    .ok_or_else(|| fail(Problem::Unclosed))?;
                rest = after;
                if !literal.is_empty() {
                    segments.push(Segment::Literal(std::mem::take(&mut literal).into()));
                } else if !segments.is_empty() {
                    return Err(fail(Problem::Adjacent(name.to_owned())));
                }
                let param = Self::param(name, rest).map_err(fail)?;
                if segments.iter().any(|other| other.is_named(bare_name(name))) {
                    return Err(fail(Problem::Twice(name.to_owned())));
                }
                segments.push(param);
            } else {
                literal.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
        if !literal.is_empty() {
            segments.push(Segment::Literal(literal.into()));
        }
        if segments.is_empty() {
            return Err(fail(Problem::Empty));
        }
        Ok(Self {
            segments: segments.into(),
        })
    }

    fn param(name: &str, after: &str) -> Result<Segment, Problem> {
        let bare = bare_name(name);
        let mut chars = bare.chars();
        let starts_well = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_');
        if !starts_well || !chars.all(|c| c.is_alphanumeric() || c == '_') {
            return Err(Problem::NoName(name.to_owned()));
        }
        let bare = Cow::Owned(bare.to_owned());
        match name.ends_with('*') {
            true if !after.is_empty() => Err(Problem::RestNotLast(name.to_owned())),
            true => Ok(Segment::Rest(bare)),
            false => Ok(Segment::Param(bare)),
        }
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

/// Writes a text so that a glob matches it and nothing else.
pub(crate) fn push_escaped(glob: &mut String, text: &str) {
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            glob.push('\\');
        }
        glob.push(c);
    }
}

/// The name of a param without the star that makes it take the rest.
fn bare_name(name: &str) -> &str {
    name.strip_suffix('*').unwrap_or(name)
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

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    text: String,
    problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    Empty,
    Unclosed,
    Unopened,
    Adjacent(String),
    Twice(String),
    NoName(String),
    RestNotLast(String),
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, problem } = self;
        write!(f, "`{}` is no channel template: ", text.escape_debug())?;
        match problem {
            Problem::Empty => write!(f, "it is empty"),
            Problem::Unclosed => write!(f, "a `{{` is not closed; write `{{{{` for a brace"),
            Problem::Unopened => write!(f, "a `}}` was not opened; write `}}}}` for a brace"),
            Problem::Adjacent(name) => {
                write!(
                    f,
                    "put literal text between `{{{name}}}` and the param before it"
                )
            }
            Problem::Twice(name) => write!(f, "the param `{{{name}}}` is there twice"),
            Problem::NoName(name) => write!(f, "`{{{name}}}` is no name for a param"),
            Problem::RestNotLast(name) => {
                write!(f, "`{{{name}}}` takes the rest, so nothing can follow it")
            }
        }
    }
}

impl std::error::Error for TemplateError {}

#[cfg(test)]
mod tests;
