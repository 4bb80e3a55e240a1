//! The options that say what to listen to: `channel`, `pattern`, `shard`, `keyspace`, `invalidate`
//! and `connection`.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{LitStr, Path};

use super::value::Name;
use crate::ast::Template;
use crate::ast::types::readable;
use crate::errors::Errors;

/// One name to listen to, or the connection.
pub(crate) struct Listen {
    /// The option.
    pub(crate) key: Ident,
    /// Its value, or one entry of the list that is its value.
    pub(crate) name: Name,
    pub(crate) target: Target,
}

pub(crate) enum Target {
    Channel(String),
    /// A channel name with params, or the keyspace channel of a key with or without params.
    Template(Template),
    Pattern,
    Shard,
    /// The prefix of the keys.
    Invalidation(String),
    Connection,
    /// A constant, which the runtime's `ConstName` reads. The number is its place in the list.
    Const(usize),
}

impl Listen {
    /// Returns the entry for `connection`, which has no name.
    pub(crate) fn connection(key: &Ident) -> Self {
        Self {
            key: key.clone(),
            name: Name::Text(LitStr::new("", key.span())),
            target: Target::Connection,
        }
    }

    /// Parses a name, which is the only one or one of a list.
    pub(crate) fn from_syn(key: &Ident, name: Name, number: usize) -> syn::Result<Self> {
        let target = match &name {
            Name::Text(text) => Target::parse(key, &text.value())
                .map_err(|problem| syn::Error::new(text.span(), problem))?,
            Name::Const(_) => Target::Const(number),
        };
        let key = key.clone();
        Ok(Self { key, name, target })
    }

    /// Returns the path of the constant, if the name is one.
    pub(crate) fn constant(&self) -> Option<&Path> {
        match &self.name {
            Name::Const(path) => Some(path),
            Name::Text(_) => None,
        }
    }

    pub(crate) fn is_constant(&self) -> bool {
        self.constant().is_some()
    }

    /// Returns the text in quotes, if the name is not a constant.
    pub(crate) fn literal(&self) -> Option<String> {
        match &self.name {
            Name::Text(text) => Some(text.value()),
            Name::Const(_) => None,
        }
    }

    /// Reports that this option is set although `first` already says what to listen to.
    pub(crate) fn refuse_after(&self, first: &Self, errors: &mut Errors) {
        let (first, second) = (&first.key, &self.key);
        let patterned =
            (first == "pattern" && second == "shard") || (first == "shard" && second == "pattern");
        if patterned {
            errors.on(
                second,
                "there are no sharded patterns in Redis: write each name in `shard = [..]`, or use \
                 `pattern` without `shard`",
            );
        } else {
            errors.on(second, format!("choose one of `{first}` and `{second}`"));
        }
    }

    /// Returns the names of the template's params.
    pub(crate) fn params(&self) -> Vec<&str> {
        match &self.target {
            Target::Template(template) => template.params().collect(),
            _ => Vec::new(),
        }
    }

    /// Returns the name of the generated constant that has read the user's.
    pub(crate) fn const_name(&self) -> Option<Ident> {
        match self.target {
            Target::Const(number) => Some(format_ident!("__NAME_{number}")),
            _ => None,
        }
    }

    /// Returns the name as it is written.
    pub(crate) fn text(&self) -> String {
        self.literal().unwrap_or_else(|| readable(&self.name))
    }

    /// Returns the names in braces that look like params but are not, because the text is used
    /// unchanged.
    pub(crate) fn literal_braces(&self) -> Vec<String> {
        match &self.target {
            Target::Shard => braced(&self.text()).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }

    /// Returns the rules that arguments of the handler must meet, as the name of a constant of the
    /// runtime's `ArgumentChecks`.
    pub(crate) fn argument_rules(&self) -> TokenStream {
        match self.target {
            _ if self.key == "keyspace" && !self.is_constant() => quote!(KEYS),
            Target::Channel(_) if self.may_carry_key_events() => quote!(EXACT_KEYS),
            Target::Channel(_) | Target::Shard => quote!(EXACT),
            Target::Template(_) | Target::Pattern if self.may_carry_key_events() => {
                quote!(PATTERN_KEYS)
            }
            Target::Template(_) | Target::Pattern => quote!(PATTERN),
            Target::Invalidation(_) => quote!(INVALIDATION),
            Target::Connection => quote!(CONNECTION),
            // The constant adds its rules to those of nothing.
            Target::Const(_) => quote!(OWN),
        }
    }

    /// Whether the name is that of a key event channel (`__keyspace@…`, `__keyevent@…`), or may
    /// match one.
    fn may_carry_key_events(&self) -> bool {
        let name = self.text();
        let is_glob = matches!(self.target, Target::Pattern);
        name.starts_with("__key")
            || name.starts_with('{')
            || (is_glob && name.starts_with(['*', '?', '[', '\\']))
    }

    /// Whether the server names the matched pattern in each push.
    pub(crate) fn is_pattern(&self) -> bool {
        matches!(self.target, Target::Template(_) | Target::Pattern)
    }

    /// Returns the subscription, as an expression that is valid in a `const`.
    pub(crate) fn subscription(&self) -> TokenStream {
        let (kind, name) = match &self.target {
            Target::Template(template) => {
                let (glob, segments) = template.expand();
                return quote! {{
                    const __SEGMENTS: &[__p::Segment] = &[#(#segments),*];
                    __p::Subscription::from_segments(#glob, __SEGMENTS)
                }};
            }
            Target::Channel(name) => (quote!(Channel), name.clone()),
            Target::Pattern => (quote!(Pattern), self.text()),
            Target::Shard => (quote!(Shard), self.text()),
            Target::Invalidation(prefix) => (quote!(Invalidation), prefix.clone()),
            Target::Connection => (quote!(Connection), String::new()),
            Target::Const(number) => {
                return format_ident!("__SUBSCRIPTION_{number}").into_token_stream();
            }
        };
        quote!(__p::Subscription::from_static(__p::Kind::#kind, #name))
    }
}

impl Target {
    /// Parses the value of the option `key`. The error is a sentence.
    fn parse(key: &Ident, text: &str) -> Result<Self, String> {
        if text.is_empty() && key != "invalidate" {
            return Err(format!("this {key} is empty"));
        }
        match &*key.to_string() {
            "channel" => Self::channel(text),
            "pattern" => Self::pattern(text),
            "keyspace" => Self::keyspace(text),
            "invalidate" => key_prefix(text).map(Self::Invalidation),
            _ => Ok(Self::Shard),
        }
    }

    fn channel(text: &str) -> Result<Self, String> {
        let template = Template::parse(text)?;
        if template.has_wildcard() {
            return Err(wildcard_in_a_channel(text));
        }
        Ok(match template.as_literal() {
            Some(literal) => Self::Channel(literal.to_owned()),
            None => Self::Template(template),
        })
    }

    fn pattern(text: &str) -> Result<Self, String> {
        match braced(text).next() {
            Some(param) => Err(format!(
                "`{{{param}}}` is not a param in a pattern, which the server matches unchanged; use \
                 `channel = \"{text}\"`, or `\\\\{{` for a brace"
            )),
            None => Ok(Self::Pattern),
        }
    }

    fn keyspace(text: &str) -> Result<Self, String> {
        let keys = Template::parse(text)?;
        if keys.has_wildcard() {
            return Err(format!(
                "`{text}` has a wildcard, and `keyspace` takes the name of a key; use a param, as \
                 `user:{{id}}`, or `{{key*}}` for the rest"
            ));
        }
        if keys.params().any(|param| param == "database") {
            let taken = "`{database}` is already the number of the database; use another name";
            return Err(taken.to_owned());
        }
        let channels = format!("__keyspace@{{database}}__:{text}");
        Template::parse(&channels).map(Self::Template)
    }
}

/// Returns the error for a wildcard in the name of a channel, with all that may be meant.
fn wildcard_in_a_channel(text: &str) -> String {
    let mut meant = Vec::new();
    let is_unclosed = text
        .rfind('[')
        .is_some_and(|open| !text[open..].contains(']'));
    let has_param = braced(text).next().is_some();
    if !is_unclosed && !has_param {
        meant.push(format!("`pattern = \"{text}\"`"));
    }
    if text.matches('*').count() == 1 && !text.contains(['?', '[', '{']) {
        let template = text.replace('*', "{id}");
        meant.push(format!("`channel = \"{template}\"`"));
    }
    let instead = match &*meant {
        [] => String::new(),
        _ => format!("write {}; ", meant.join(" or ")),
    };
    let constructor = if has_param {
        format!("template({text:?}).unwrap()")
    } else {
        format!("channel({text:?})")
    };
    format!(
        "`{text}` has a wildcard, and `channel` takes an exact name: {instead}if this is the exact \
         name, set it at the mount: `handlers![on_x.on(Subscription::{constructor})]`"
    )
}

/// Parses the prefix of keys. It has no params; `{{` and `}}` are braces, as in a template.
fn key_prefix(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let template = Template::parse(text)
        .map_err(|problem| problem.replace("is not a channel template", "is not a key prefix"))?;
    let prefix = template.prefix();
    if let Some(param) = template.params().next() {
        let advice = if prefix.is_empty() {
            // The empty prefix would be advice to listen to every key.
            format!("write `{{{{{param}}}}}` for the braces themselves")
        } else {
            format!(
                "write `invalidate = \"{prefix}\"` (or `{{{{{param}}}}}` for the braces themselves)"
            )
        };
        return Err(format!(
            "`invalidate` takes a key prefix, which has no params such as `{{{param}}}`: {advice}"
        ));
    }
    if let Some(at) = prefix.find(['*', '?', '[']) {
        let before = &prefix[..at];
        return Err(format!(
            "`invalidate` takes a key prefix, which has no wildcards: write `invalidate = {before:?}`, \
             or, if the keys contain that character, set it at the mount: \
             `handlers![on_x.on(Subscription::invalidation({text:?}))]`"
        ));
    }
    Ok(prefix.to_owned())
}

/// Returns the names in `text` that stand in braces, as a param would, and not after a backslash.
fn braced(text: &str) -> impl Iterator<Item = &str> {
    let pieces = text.split('{').collect::<Vec<_>>();
    let pairs = (1..pieces.len()).map(move |at| (pieces[at - 1], pieces[at]));
    pairs.filter_map(|(before, after)| {
        let (name, _) = after.split_once('}')?;
        let is_name = syn::parse_str::<Ident>(name.trim_end_matches('*')).is_ok();
        (is_name && !before.ends_with('\\')).then_some(name)
    })
}
