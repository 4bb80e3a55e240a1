//! The option `overflow`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::LitStr;
use syn::parse::{Parse, ParseStream};

/// Which messages a full buffer drops: `"drop_oldest"`, `"drop_newest"` or `"latest"`.
pub(crate) enum Overflow {
    DropOldest,
    DropNewest,
    Latest,
}

impl Parse for Overflow {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let text: LitStr = input.parse()?;
        match &*text.value() {
            "drop_oldest" => Ok(Self::DropOldest),
            "drop_newest" => Ok(Self::DropNewest),
            "latest" => Ok(Self::Latest),
            _ => Err(syn::Error::new(text.span(), "expected an overflow")),
        }
    }
}

impl ToTokens for Overflow {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(match self {
            Self::DropOldest => quote!(__p::Overflow::DropOldest),
            Self::DropNewest => quote!(__p::Overflow::DropNewest),
            Self::Latest => quote!(__p::Overflow::Latest),
        });
    }
}
