//! The user's `#[serde(..)]` attributes: what is carried to the wire type, and what cannot be.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Expr, ExprLit, Lit, Path, Token};

use crate::errors::{Errors, nearest};

/// One option of a `#[serde(..)]`, as it is written.
#[derive(Clone)]
struct Attr {
    name: Ident,
    tokens: TokenStream,
    value: Option<Expr>,
}

/// The options of the type.
pub(crate) struct Container {
    options: Vec<Attr>,
}

/// What a container says of a payload whose fields are missing.
pub(crate) enum Missing {
    /// `#[serde(default)]`
    Trait,
    /// `#[serde(default = "path")]`
    Path(Path),
}

const REFUSED: [&str; 6] = ["from", "try_from", "into", "remote", "crate", "bound"];

/// The options of serde, wherever they stand.
const KNOWN: [&str; 30] = [
    "alias",
    "borrow",
    "bound",
    "content",
    "crate",
    "default",
    "deny_unknown_fields",
    "deserialize_with",
    "expecting",
    "field_identifier",
    "flatten",
    "from",
    "getter",
    "into",
    "other",
    "remote",
    "rename",
    "rename_all",
    "rename_all_fields",
    "serialize_with",
    "skip",
    "skip_deserializing",
    "skip_serializing",
    "skip_serializing_if",
    "tag",
    "transparent",
    "try_from",
    "untagged",
    "variant_identifier",
    "with",
];

/// Tells of an option that is probably a known one, misspelt. serde would tell of it as well, once
/// for each of the types that it is carried to. What is not like any known one is left to serde.
pub(crate) fn validate_words(attributes: &[Attribute], errors: &mut Errors) {
    for option in options(attributes) {
        let name = option.name.unraw().to_string();
        if KNOWN.contains(&&*name) {
            validate_case(&name, option.value.as_ref(), errors);
            continue;
        }
        // Short words are near to too many, and a new option of serde's may be near to an old one.
        if let Some(near) = nearest(&name, KNOWN)
            && name.len() > 4
            && name.len().abs_diff(near.len()) <= 2
        {
            errors.on(
                &option.name,
                format!("serde has no `{name}`; did you mean `{near}`?"),
            );
        }
    }
}

/// What `rename_all` may be.
const CASES: [&str; 8] = [
    "lowercase",
    "UPPERCASE",
    "PascalCase",
    "camelCase",
    "snake_case",
    "SCREAMING_SNAKE_CASE",
    "kebab-case",
    "SCREAMING-KEBAB-CASE",
];

fn validate_case(name: &str, value: Option<&Expr>, errors: &mut Errors) {
    if let Some(Expr::Lit(ExprLit {
        lit: Lit::Str(text),
        ..
    })) = value
        && name.starts_with("rename_all")
        && !CASES.contains(&&*text.value())
    {
        let cases = CASES.join("`, `");
        errors.on(text, format!("serde's cases are `{cases}`"));
    }
}

impl Container {
    pub(crate) fn from_syn(attributes: &[Attribute]) -> Self {
        Self {
            options: options(attributes),
        }
    }

    pub(crate) fn validate(&self, ident: &Ident, errors: &mut Errors) {
        for option in &self.options {
            let name = option.name.unraw().to_string();
            if REFUSED.contains(&&*name) {
                errors.on(
                    &option.name,
                    format!(
                        "a push message cannot carry `#[serde({name})]`; take `Json<{ident}>` in the \
                         handler, or write `FromPush` by hand"
                    ),
                );
            }
        }
        if let Some(option) = self.option("default")
            && let Some(value) = &option.value
        {
            errors.take(path(value));
        }
    }

    /// What the type says of missing fields.
    pub(crate) fn default(&self) -> Option<Missing> {
        let option = self.option("default")?;
        match &option.value {
            Some(value) => path(value).ok().map(Missing::Path),
            None => Some(Missing::Trait),
        }
    }

    /// Whether fields have other names in the payload than they are written with, or more of them.
    pub(crate) fn renames_fields(&self) -> bool {
        self.option("rename_all").is_some()
    }

    fn option(&self, name: &str) -> Option<&Attr> {
        self.options.iter().find(|option| option.name == name)
    }

    /// The options but `default`, for a type that has a `Default` of its own making.
    pub(crate) fn without_default(&self) -> TokenStream {
        let options = self
            .options
            .iter()
            .filter(|option| option.name != "default");
        joined(options)
    }

    pub(crate) fn all(&self) -> TokenStream {
        joined(&self.options)
    }

    /// How serde shall call the type in its errors, if the user does not say it.
    pub(crate) fn expecting(&self, text: &str) -> Option<TokenStream> {
        let says = self.option("expecting").is_some();
        (!says).then(|| quote!(expecting = #text,))
    }
}

/// The options of a field or a variant, and `borrow` where serde needs it to be told.
pub(crate) fn carried(attributes: &[Attribute], borrows: bool) -> Option<TokenStream> {
    let options = options(attributes);
    let has = |name: &str| options.iter().any(|option| option.name == name);
    let skipped = has("skip") || has("skip_deserializing");
    let borrow = (borrows && !skipped && !has("borrow")).then(|| quote!(borrow,));
    let all = joined(&options);
    (borrow.is_some() || !options.is_empty()).then(|| quote!(#[serde(#borrow #all)]))
}

/// Whether a field is written by the `Serialize` of its type.
pub(crate) fn writes_by_serde(attributes: &[Attribute]) -> bool {
    const NOT: [&str; 4] = ["skip", "skip_serializing", "with", "serialize_with"];
    let options = options(attributes);
    !options
        .iter()
        .any(|option| NOT.iter().any(|not| option.name == not))
}

/// The name that a field has in the payload; `None` where its own fields stand there instead.
pub(crate) fn name_on_the_wire(attributes: &[Attribute], name: String) -> Option<String> {
    let mut name = Some(name);
    for option in options(attributes) {
        if option.name == "flatten" {
            return None;
        }
        if option.name == "rename" {
            name = match option.value {
                Some(Expr::Lit(ExprLit {
                    lit: Lit::Str(text),
                    ..
                })) => Some(text.value()),
                // `rename(deserialize = "…")` and the like.
                _ => return None,
            };
        }
    }
    name
}

fn joined<'o>(options: impl IntoIterator<Item = &'o Attr>) -> TokenStream {
    let tokens = options.into_iter().map(|option| &option.tokens);
    quote!(#(#tokens,)*)
}

/// Reads what it can; what it cannot read, serde's own derive will refuse.
fn options(attributes: &[Attribute]) -> Vec<Attr> {
    let mut found = Vec::new();
    for attribute in attributes {
        if attribute.path().is_ident("serde")
            && let Ok(list) = attribute.meta.require_list()
        {
            let read = |input: ParseStream<'_>| {
                while !input.is_empty() {
                    found.push(option(input)?);
                    input.parse::<Option<Token![,]>>()?;
                }
                Ok(())
            };
            let _ = read.parse2(list.tokens.clone());
        }
    }
    found
}

fn option(input: ParseStream<'_>) -> syn::Result<Attr> {
    let name = input.call(Ident::parse_any)?;
    let mut tokens = name.to_token_stream();
    let mut value = None;
    if input.peek(Token![=]) {
        input.parse::<Token![=]>()?.to_tokens(&mut tokens);
        let expr: Expr = input.parse()?;
        expr.to_tokens(&mut tokens);
        value = Some(expr);
    } else if input.peek(syn::token::Paren) {
        input
            .parse::<proc_macro2::TokenTree>()?
            .to_tokens(&mut tokens);
    }
    Ok(Attr {
        name,
        tokens,
        value,
    })
}

fn path(value: &Expr) -> syn::Result<Path> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => text.parse(),
        other => Err(syn::Error::new_spanned(other, "expected a path in quotes")),
    }
}
