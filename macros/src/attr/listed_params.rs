//! The option `params(symbol)`, for a channel whose name is a constant.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::Token;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::token::Paren;

use crate::errors::nearest;

/// The params that the derive cannot read from a constant.
pub(crate) struct ListedParams {
    key: Ident,
    paren: Paren,
    pub(crate) names: Vec<Ident>,
}

impl ListedParams {
    pub(super) fn from_syn(key: Ident, input: ParseStream<'_>) -> syn::Result<Self> {
        const EXPECTED: &str = "expected the params of the channel, as `params(symbol)`";
        if !input.peek(Paren) {
            return Err(syn::Error::new(key.span(), EXPECTED));
        }
        let list;
        let paren = syn::parenthesized!(list in input);
        let names = list
            .parse_terminated(Ident::parse_any, Token![,])
            .map_err(|error| {
                // syn would report the tokens that are left as a second error.
                let _ = list.parse::<TokenStream>();
                syn::Error::new(error.span(), EXPECTED)
            })?;
        let names: Vec<_> = names.into_iter().collect();
        for (at, name) in names.iter().enumerate() {
            if names[..at]
                .iter()
                .any(|before| before.unraw() == name.unraw())
            {
                let text = format!("`{name}` is in the list twice");
                return Err(syn::Error::new(name.span(), text));
            }
        }
        if names.is_empty() {
            return Err(syn::Error::new(paren.span.join(), EXPECTED));
        }
        Ok(Self { key, paren, names })
    }

    /// Returns the names, without the `r#` of a raw identifier.
    pub(crate) fn texts(&self) -> impl Iterator<Item = String> {
        self.names.iter().map(|name| name.unraw().to_string())
    }

    /// Returns what is wrong with one that is not among the fields.
    pub(crate) fn not_a_field(name: &str, fields: &[String], of: &Ident) -> String {
        let hint = match nearest(name, fields.iter().map(String::as_str)) {
            Some(near) => format!("; did you mean `{{{near}}}`?"),
            None => String::new(),
        };
        format!("`{{{name}}}` has no field `{name}` in `{of}`{hint}")
    }
}

impl ToTokens for ListedParams {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { key, paren, names } = self;
        key.to_tokens(tokens);
        paren.surround(tokens, |tokens| quote!(#(#names),*).to_tokens(tokens));
    }
}
