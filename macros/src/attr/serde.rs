//! The user's `#[serde(..)]` attributes: which of them can be forwarded to generated types.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, Path, Token};

use super::serde_names::text_to_read;
use crate::errors::{Errors, nearest};

/// One option in the parentheses of a `#[serde(..)]`.
#[derive(Clone)]
pub(super) struct SerdeOption {
    pub(super) name: Ident,
    pub(super) tokens: TokenStream,
    pub(super) value: Option<Expr>,
}

/// The options of a type.
pub(crate) struct Container {
    options: Vec<SerdeOption>,
}

/// Where the values of missing fields come from.
pub(crate) enum ContainerDefault {
    /// `#[serde(default)]`: the trait `Default`.
    Trait,
    /// `#[serde(default = "path")]`: a function.
    Path(Path),
}

/// The options of a type that cannot be forwarded. The first three make serde read or write another
/// type; the others are set by our derive itself.
const REFUSED: [&str; 6] = ["from", "try_from", "into", "remote", "crate", "bound"];

/// All options of serde, on types, variants and fields.
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

/// Reports options that do not parse, which would be lost, and those that are probably misspelt, with
/// the correct name.
///
/// serde reports unknown options itself, but once for each generated type that they are forwarded
/// to. Options that resemble no known one are left to serde.
pub(crate) fn validate_options(attributes: &[Attribute], errors: &mut Errors) {
    for attribute in serde_attributes(attributes) {
        errors.handle(attribute_options(attribute));
    }
    for option in options(attributes) {
        let name = option.name.unraw().to_string();
        if KNOWN.contains(&&*name) {
            validate_case(&name, option.value.as_ref(), errors);
            continue;
        }
        // A short word is close to too many others, and a future option of serde may be close to a
        // known one.
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

/// The values of `rename_all`.
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
                        "a push message cannot carry `#[serde({name})]`; take `Json<{ident}>` in \
                         the handler, or write `FromPush` by hand"
                    ),
                );
            }
        }
        if let Some(option) = self.option("default")
            && let Some(value) = &option.value
        {
            errors.handle(path(value));
        }
    }

    /// Returns where the values of missing fields come from, if the type has a `default`.
    pub(crate) fn default(&self) -> Option<ContainerDefault> {
        let option = self.option("default")?;
        match &option.value {
            Some(value) => path(value).ok().map(ContainerDefault::Path),
            None => Some(ContainerDefault::Trait),
        }
    }

    /// Whether `rename_all` gives the fields other names in the payload.
    pub(crate) fn renames_fields(&self) -> bool {
        self.option("rename_all").is_some()
    }

    /// Whether the payload may have no other fields than those of the type.
    pub(crate) fn denies_unknown_fields(&self) -> bool {
        self.option("deny_unknown_fields").is_some()
    }

    /// Returns the option by which the payload may be something else than a map.
    pub(crate) fn may_be_no_map(&self) -> Option<&'static str> {
        let mut options = ["transparent", "untagged"].into_iter();
        options.find(|name| self.option(name).is_some())
    }

    pub(crate) fn has_tag(&self) -> bool {
        self.option("tag").is_some()
    }

    /// Returns the member that contains the name of the variant, or of the type.
    pub(crate) fn tag(&self) -> Option<String> {
        self.option("tag").and_then(text_to_read)
    }

    fn option(&self, name: &str) -> Option<&SerdeOption> {
        self.options.iter().find(|option| option.name == name)
    }

    /// Returns the options without `default`, for a type with a generated `Default`.
    pub(crate) fn without_default(&self) -> TokenStream {
        joined(
            self.options
                .iter()
                .filter(|option| option.name != "default"),
        )
    }

    /// Returns all options.
    pub(crate) fn all(&self) -> TokenStream {
        joined(&self.options)
    }

    /// Returns the option `expecting`, by which serde's errors name the type; `None` if the user
    /// has set it.
    pub(crate) fn expecting(&self, text: &str) -> Option<TokenStream> {
        match self.option("expecting") {
            Some(_) => None,
            None => Some(quote!(expecting = #text,)),
        }
    }
}

/// Returns the attribute that forwards the options of a field or a variant.
///
/// It adds `borrow` if the type of the field `borrows`: serde borrows without it only for `&str`
/// and `&[u8]`.
pub(crate) fn forwarded(attributes: &[Attribute], borrows: bool) -> Option<TokenStream> {
    let options = options(attributes);
    let has = |name: &str| options.iter().any(|option| option.name == name);
    let skipped = has("skip") || has("skip_deserializing");
    let borrow = (borrows && !skipped && !has("borrow")).then(|| quote!(borrow,));
    let all = joined(&options);
    (borrow.is_some() || !options.is_empty()).then(|| quote!(#[serde(#borrow #all)]))
}

/// Whether a field or a variant is written by the `Serialize` impls of its types.
pub(crate) fn uses_serialize(attributes: &[Attribute]) -> bool {
    const WITHOUT: [&str; 4] = ["skip", "skip_serializing", "with", "serialize_with"];
    !options(attributes)
        .iter()
        .any(|option| WITHOUT.iter().any(|without| option.name == without))
}

/// Whether the fields of a field's value are fields of the payload.
pub(crate) fn is_flattened(attributes: &[Attribute]) -> bool {
    options(attributes)
        .iter()
        .any(|option| option.name == "flatten")
}

/// Returns the name that a field has in the payload; `None` if it has several or is flattened.
pub(crate) fn payload_name(attributes: &[Attribute], name: String) -> Option<String> {
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

fn joined<'o>(options: impl IntoIterator<Item = &'o SerdeOption>) -> TokenStream {
    let tokens = options.into_iter().map(|option| &option.tokens);
    quote!(#(#tokens,)*)
}

/// Returns the options of all serde attributes. [`validate_options`] refuses those that do not
/// parse.
pub(super) fn options(attributes: &[Attribute]) -> Vec<SerdeOption> {
    serde_attributes(attributes)
        .flat_map(|attribute| attribute_options(attribute).unwrap_or_default())
        .collect()
}

fn serde_attributes(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("serde"))
}

fn attribute_options(attribute: &Attribute) -> syn::Result<Vec<SerdeOption>> {
    let list = attribute.meta.require_list()?;
    let options = list.parse_args_with(Punctuated::<SerdeOption, Token![,]>::parse_terminated)?;
    Ok(options.into_iter().collect())
}

impl Parse for SerdeOption {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
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
        Ok(Self {
            name,
            tokens,
            value,
        })
    }
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
