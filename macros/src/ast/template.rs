//! Channel templates, such as `orders.{id}`.

use proc_macro2::TokenStream;
use quote::quote;
use redis_push_template::Segment;

/// A channel name with params. `redis_push_template` holds the grammar, for the runtime too.
#[derive(Debug)]
pub(crate) struct Template {
    segments: Vec<Segment>,
}

impl Template {
    /// Parses a template. The error is a sentence that names the template and the problem.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match redis_push_template::parse(text) {
            Ok(segments) => Ok(Self { segments }),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Returns the names of the params, in their order.
    pub(crate) fn params(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(Segment::param)
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
        (
            redis_push_template::glob(&self.segments),
            segments.collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn params_are_listed_in_their_order() {
        let template = Template::parse("a.{x}.b.{y*}").unwrap();
        assert_eq!(template.params().collect::<Vec<_>>(), ["x", "y"]);
        assert!(!template.has_wildcard());
        assert!(Template::parse("a?.{x}").unwrap().has_wildcard());
    }
}
