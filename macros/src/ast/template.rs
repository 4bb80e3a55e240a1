//! Channel templates, such as `orders.{id}`.

use proc_macro2::TokenStream;
use quote::quote;
use redis_push_template::{Parser, Piece, Problem, push_escaped};

/// A channel name with params. `redis_push_template` holds the grammar, for the runtime too.
#[derive(Debug)]
pub(crate) struct Template {
    segments: Vec<Segment>,
}

#[derive(Debug, PartialEq)]
enum Segment {
    Literal(String),
    /// `{name}`: text without a separator.
    Param(String),
    /// `{name*}`: the rest of the channel name.
    Rest(String),
}

impl Template {
    /// Parses a template. The error is a sentence that names the template and the problem.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Self::segments(text)
            .map(|segments| Self { segments })
            .map_err(|problem| {
                let text = text.escape_debug();
                format!("`{text}` is not a channel template: {problem}")
            })
    }

    fn segments(text: &str) -> Result<Vec<Segment>, Problem<'_>> {
        let mut segments = Vec::new();
        for piece in Parser::new(text) {
            match (piece?, segments.last_mut()) {
                (Piece::Literal(more), Some(Segment::Literal(literal))) => literal.push_str(more),
                (Piece::Literal(text), _) => segments.push(Segment::Literal(text.to_owned())),
                (Piece::Param(name), _) => segments.push(Segment::Param(name.to_owned())),
                (Piece::Rest(name), _) => segments.push(Segment::Rest(name.to_owned())),
            }
        }
        Ok(segments)
    }

    /// Returns the names of the params, in their order.
    pub(crate) fn params(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(Segment::name)
    }

    /// Returns the whole name if it has no params.
    pub(crate) fn as_literal(&self) -> Option<&str> {
        match &*self.segments {
            [Segment::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Returns the literal text before the first param.
    pub(crate) fn prefix(&self) -> &str {
        match self.segments.first() {
            Some(Segment::Literal(text)) => text,
            _ => "",
        }
    }

    /// Whether the literal text contains a character that would be a wildcard in a pattern.
    pub(crate) fn has_wildcard(&self) -> bool {
        self.segments.iter().any(|segment| match segment {
            Segment::Literal(text) => text.contains(['*', '?', '[']),
            Segment::Param(_) | Segment::Rest(_) => false,
        })
    }

    /// Returns the pattern to subscribe to: `*` for each param, and escaped literal text.
    fn glob(&self) -> String {
        let mut glob = String::new();
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => push_escaped(&mut glob, text),
                Segment::Param(_) | Segment::Rest(_) => glob.push('*'),
            }
        }
        glob
    }

    /// Returns the arguments of `Subscription::from_segments`.
    pub(crate) fn expand(&self) -> (String, Vec<TokenStream>) {
        let segments = self.segments.iter().map(|segment| {
            let (kind, text) = match segment {
                Segment::Literal(text) => (quote!(Literal), text),
                Segment::Param(name) => (quote!(Param), name),
                Segment::Rest(name) => (quote!(Rest), name),
            };
            quote!(__p::Segment::#kind(__p::Cow::Borrowed(#text)))
        });
        (self.glob(), segments.collect())
    }
}

impl Segment {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::Param(name) | Self::Rest(name) => Some(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_runtime() {
        let texts = [
            "plain",
            "",
            "quotes.{symbol}",
            "{{tag}}.{x}",
            "a.{x}.{y*}",
            "a{b",
            "a}b",
            "{a}{b}",
            "{a}.{a}",
            "{a}.{a*}",
            "{a b}",
            "{}",
            "{*}",
            "{1}",
            "{_}",
            "{ä}",
            "{a*}.b",
            r"a*b?[c]\{x}",
            "\u{7}{",
        ];
        for text in texts {
            match (
                Template::parse(text),
                redis_push::Subscription::template(text),
            ) {
                (Ok(ours), Ok(theirs)) => match ours.as_literal() {
                    Some(literal) => assert_eq!(literal, theirs.name()),
                    None => assert_eq!(ours.glob(), theirs.name()),
                },
                (Err(ours), Err(theirs)) => assert_eq!(ours, theirs.to_string()),
                (ours, theirs) => panic!("`{text}`: {ours:?} here, {theirs:?} there"),
            }
        }
    }

    #[test]
    fn params_are_listed_in_their_order() {
        let template = Template::parse("a.{x}.b.{y*}").unwrap();
        assert_eq!(template.params().collect::<Vec<_>>(), ["x", "y"]);
        assert!(!template.has_wildcard());
        assert!(Template::parse("a?.{x}").unwrap().has_wildcard());
    }
}
