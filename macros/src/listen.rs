use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::LitStr;

use crate::errors::Errors;
use crate::template::Template;

/// What an attribute says to listen to: `channel = "…"`, `pattern = "…"`, `shard = "…"`,
/// `keyspace = "…"`, `invalidate = "…"` or `connection`.
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
    /// The prefix of the keys.
    Invalidation(String),
    Connection,
}

impl Listen {
    /// What has no name.
    pub(crate) fn connection(key: &Ident) -> Self {
        Self {
            key: key.clone(),
            name: LitStr::new("", key.span()),
            target: Target::Connection,
        }
    }

    pub(crate) fn from_syn(key: &Ident, name: LitStr) -> syn::Result<Self> {
        let text = name.value();
        if text.is_empty() && key != "invalidate" {
            return Err(syn::Error::new(name.span(), format!("this {key} is empty")));
        }
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
        } else if key == "keyspace" {
            let fail = |problem| syn::Error::new(name.span(), problem);
            if Template::parse(&text).map_err(fail)?.has_wildcard() {
                return Err(fail(wildcard_in_keys(&text)));
            }
            if Template::parse(&text)
                .map_err(fail)?
                .params()
                .any(|param| param == "database")
            {
                let taken = "`{database}` is the number of the database already; call it otherwise";
                return Err(fail(taken.to_owned()));
            }
            let channels = format!("__keyspace@{{database}}__:{text}");
            Target::Template(Template::parse(&channels).map_err(fail)?)
        } else if key == "invalidate" {
            let fail = |problem| syn::Error::new(name.span(), problem);
            Target::Invalidation(prefix(&text).map_err(fail)?)
        } else if key == "pattern" {
            if let Some(param) = braced(&text).next() {
                return Err(syn::Error::new(name.span(), no_param(&text, param)));
            }
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
            _ => Vec::new(),
        }
    }

    /// The template as it is written, or the name.
    pub(crate) fn text(&self) -> String {
        self.name.value()
    }

    /// The names in braces that are no params, because the text is taken as it is.
    pub(crate) fn literal_braces(&self) -> Vec<String> {
        match &self.target {
            Target::Shard => braced(&self.name.value()).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }

    /// The rules for the arguments, by the name of a constant of `Takes`.
    pub(crate) fn takes(&self) -> TokenStream {
        match self.target {
            _ if self.key == "keyspace" => quote!(KEYS),
            Target::Channel(_) if self.may_tell_of_keys() => quote!(EXACT_KEYS),
            Target::Channel(_) | Target::Shard => quote!(EXACT),
            Target::Template(_) | Target::Pattern if self.may_tell_of_keys() => {
                quote!(PATTERN_KEYS)
            }
            Target::Template(_) | Target::Pattern => quote!(PATTERN),
            Target::Invalidation(_) => quote!(INVALIDATION),
            Target::Connection => quote!(CONNECTION),
        }
    }

    /// Whether the name is that of a channel that tells of keys, or may match one.
    fn may_tell_of_keys(&self) -> bool {
        let name = self.name.value();
        let is_glob = matches!(self.target, Target::Pattern);
        name.starts_with("__key")
            || name.starts_with('{')
            || (is_glob && name.starts_with(['*', '?', '[', '\\']))
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
            Target::Invalidation(prefix) => (quote!(Invalidation), prefix.clone()),
            Target::Connection => (quote!(Connection), String::new()),
        };
        quote!(__p::Subscription::from_static(__p::Kind::#kind, #name))
    }
}

/// The names in `text` that stand in braces, as a param would, and not behind a backslash.
fn braced(text: &str) -> impl Iterator<Item = &str> {
    let pieces = text.split('{').collect::<Vec<_>>();
    let behind = (1..pieces.len()).map(move |at| (pieces[at - 1], pieces[at]));
    behind.filter_map(|(before, after)| {
        let (name, _) = after.split_once('}')?;
        let is_name = syn::parse_str::<Ident>(name.trim_end_matches('*')).is_ok();
        (is_name && !before.ends_with('\\')).then_some(name)
    })
}

fn no_param(text: &str, param: &str) -> String {
    format!(
        "`{{{param}}}` is no param in a pattern, which the server takes as it is; use `channel = \
         \"{text}\"`, or `\\\\{{` for a brace"
    )
}

/// The prefix that keys begin with; it has no params, and `{{` is a brace in it as elsewhere.
fn prefix(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    // The problem is told of the name as it is here, which is no channel's.
    let template = Template::parse(text)
        .map_err(|problem| problem.replace("is no channel template", "is no beginning of keys"))?;
    if let (Some(param), lead) = (template.params().next(), template.lead()) {
        let advice = match lead {
            // An empty one would be of every key.
            "" => format!("write `{{{{{param}}}}}` for the braces themselves"),
            _ => format!(
                "write `invalidate = \"{lead}\"` (or `{{{{{param}}}}}` for the braces themselves)"
            ),
        };
        return Err(format!(
            "`{text}` is the beginning of keys here, and `{{{param}}}` is no param in it: {advice}"
        ));
    }
    if let Some(at) = template.lead().find(['*', '?', '[']) {
        let lead = &template.lead()[..at];
        return Err(format!(
            "`{text}` is the beginning of keys here, and has no wildcards: write `invalidate = \
             {lead:?}`, or, where the keys have that very character, set it at the mount: \
             `handlers![on_x.on(Subscription::invalidation({text:?}))]`"
        ));
    }
    Ok(template.lead().to_owned())
}

fn wildcard_in_keys(text: &str) -> String {
    format!(
        "`{text}` is only that exact key here; use a param, as `user:{{id}}`, or `{{key*}}` for the \
         rest"
    )
}

fn wildcard(text: &str) -> String {
    let mut hint = format!("`{text}` is only that exact name here; use `pattern = \"{text}\"`");
    if let (1, false) = (text.matches('*').count(), text.contains(['?', '[', '{'])) {
        let template = text.replace('*', "{id}");
        hint.push_str(&format!(" or a param: `channel = \"{template}\"`"));
    }
    hint
}
