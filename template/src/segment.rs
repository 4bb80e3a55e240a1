use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use crate::parser::{Parser, Piece};

/// A segment of a template. Two literals are never adjacent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// Literal text, with single braces.
    Literal(Cow<'static, str>),
    /// The name of a param.
    Param(Cow<'static, str>),
    /// The name of a param that takes the rest.
    Rest(Cow<'static, str>),
}

impl Segment {
    /// Returns the name of the param; `None` for literal text.
    #[inline]
    #[must_use]
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::Param(name) | Self::Rest(name) => Some(name),
        }
    }
}

/// Parses a template into its segments.
///
/// # Errors
///
/// Returns an error if the text is not a template.
pub fn parse(text: &str) -> Result<Vec<Segment>, TemplateError> {
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
    Ok(segments)
}

fn owned(text: &str) -> Cow<'static, str> {
    Cow::Owned(text.to_owned())
}

/// Returns a glob that matches every channel of a template. It may match other channels too.
#[must_use]
pub fn glob(segments: &[Segment]) -> String {
    let mut glob = String::new();
    for segment in segments {
        match segment {
            Segment::Literal(text) => push_escaped(&mut glob, text),
            Segment::Param(_) | Segment::Rest(_) => glob.push('*'),
        }
    }
    glob
}

/// Appends literal text to a glob, so that the glob matches that text and nothing else.
pub fn push_escaped(glob: &mut String, literal: &str) {
    for c in literal.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            glob.push('\\');
        }
        glob.push(c);
    }
}

/// Why a text is not a channel template.
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

impl Error for TemplateError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjacent_literals_are_one_segment() {
        let segments = parse("{{tag}}.{x}").unwrap();
        assert_eq!(
            segments,
            [
                Segment::Literal("{tag}.".into()),
                Segment::Param("x".into())
            ]
        );
        assert_eq!(glob(&segments), "{tag}.*");
    }

    #[test]
    fn an_error_names_the_template_and_the_problem() {
        assert_eq!(
            parse("a\u{7}{").unwrap_err().to_string(),
            "`a\\u{7}{` is not a channel template: a `{` is not closed; write `{{` for a brace"
        );
    }
}
