//! Channel templates, such as `orders.{id}`.

use proc_macro2::TokenStream;
use quote::quote;

/// A channel name with params, parsed by the rules of the runtime's templates.
///
/// The runtime depends on this crate, so this crate cannot use the runtime's parser and has a
/// second one. A test checks that the two agree.
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

    fn segments(text: &str) -> Result<Vec<Segment>, String> {
        let mut segments = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            if rest.starts_with("{{") || rest.starts_with("}}") {
                literal.push(next);
                rest = &rest[2..];
            } else if next == '}' {
                return Err("a `}` was not opened; write `}}` for a brace".into());
            } else if let Some(inner) = rest.strip_prefix('{') {
                let (name, after) = inner
                    .split_once('}')
                    .ok_or("a `{` is not closed; write `{{` for a brace")?;
                rest = after;
                if !literal.is_empty() {
                    segments.push(Segment::Literal(std::mem::take(&mut literal)));
                } else if !segments.is_empty() {
                    return Err(format!(
                        "put literal text between `{{{name}}}` and the param before it"
                    ));
                }
                let param = Segment::param(name, rest)?;
                if segments.iter().any(|other| other.name() == param.name()) {
                    return Err(format!("the param `{{{name}}}` is there twice"));
                }
                segments.push(param);
            } else {
                literal.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
        if !literal.is_empty() {
            segments.push(Segment::Literal(literal));
        }
        if segments.is_empty() {
            return Err("it is empty".into());
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
                Segment::Literal(text) => {
                    for c in text.chars() {
                        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
                            glob.push('\\');
                        }
                        glob.push(c);
                    }
                }
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
    /// Parses what stands in braces. `after` is the text that follows them.
    fn param(name: &str, after: &str) -> Result<Self, String> {
        let bare = name.strip_suffix('*').unwrap_or(name);
        let mut chars = bare.chars();
        let starts_well = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_');
        if !starts_well || !chars.all(|c| c.is_alphanumeric() || c == '_') {
            return Err(match bare.strip_prefix("r#") {
                Some(plain) if !plain.is_empty() => {
                    let plain = &name["r#".len()..];
                    format!("a param goes without the `r#`: `{{{plain}}}`")
                }
                _ => format!("`{{{name}}}` is not a name for a param"),
            });
        }
        if !name.ends_with('*') {
            Ok(Self::Param(bare.to_owned()))
        } else if after.is_empty() {
            Ok(Self::Rest(bare.to_owned()))
        } else {
            Err(format!(
                "`{{{name}}}` takes the rest, so nothing can follow it"
            ))
        }
    }

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
