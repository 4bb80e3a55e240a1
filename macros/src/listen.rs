use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::LitStr;

use crate::errors::Errors;
use crate::template::Template;

/// What an attribute says to listen to: `channel = "…"`, `pattern = "…"` or `shard = "…"`.
pub(crate) struct Listen {
    pub(crate) key: Ident,
    pub(crate) name: LitStr,
    pub(crate) target: Target,
}

pub(crate) enum Target {
    Channel(String),
    Template(Template),
    Pattern,
    Shard,
}

impl Listen {
    pub(crate) fn from_syn(key: &Ident, name: LitStr) -> syn::Result<Self> {
        let text = name.value();
        let target = if key == "channel" {
            let fail = |problem| syn::Error::new(name.span(), problem);
            let template = Template::parse(&text).map_err(fail)?;
            if template.has_wildcard() {
                return Err(fail(wildcard(&text)));
            }
            match template.as_literal() {
                Some(literal) => Target::Channel(literal.to_owned()),
                None => Target::Template(template),
            }
        } else if text.is_empty() {
            return Err(syn::Error::new(name.span(), format!("this {key} is empty")));
        } else if key == "pattern" {
            Target::Pattern
        } else {
            Target::Shard
        };
        let key = key.clone();
        Ok(Self { key, name, target })
    }

    /// Refuses a second one.
    pub(crate) fn validate_alone(&self, first: &Self, errors: &mut Errors) {
        let (first, second) = (&first.key, &self.key);
        let patterned =
            (first == "pattern" && second == "shard") || (first == "shard" && second == "pattern");
        if patterned {
            errors.on(second, "sharded channels have no patterns in Redis");
        } else {
            errors.on(second, format!("choose one of `{first}` and `{second}`"));
        }
    }

    /// The names of the template's params.
    pub(crate) fn params(&self) -> Vec<&str> {
        match &self.target {
            Target::Template(template) => template.params().collect(),
            Target::Channel(_) | Target::Pattern | Target::Shard => Vec::new(),
        }
    }

    /// Whether the server will say which pattern matched.
    pub(crate) fn is_pattern(&self) -> bool {
        matches!(self.target, Target::Template(_) | Target::Pattern)
    }

    /// The subscription, as an expression that may stand in a `const`.
    pub(crate) fn expand(&self) -> TokenStream {
        let (kind, name) = match &self.target {
            Target::Template(template) => {
                let (glob, segments) = template.expand();
                return quote! {{
                    const __SEGMENTS: &[__p::Segment] = &[#(#segments),*];
                    __p::Subscription::from_segments(#glob, __SEGMENTS)
                }};
            }
            Target::Channel(name) => (quote!(Channel), name.clone()),
            Target::Pattern => (quote!(Pattern), self.name.value()),
            Target::Shard => (quote!(Shard), self.name.value()),
        };
        quote!(__p::Subscription::from_static(__p::Kind::#kind, #name))
    }
}

fn wildcard(text: &str) -> String {
    let mut hint = format!("`{text}` is only that exact name here; use `pattern = \"{text}\"`");
    if let (1, false) = (text.matches('*').count(), text.contains(['?', '[', '{'])) {
        let template = text.replace('*', "{id}");
        hint.push_str(&format!(" or a param: `channel = \"{template}\"`"));
    }
    hint
}
