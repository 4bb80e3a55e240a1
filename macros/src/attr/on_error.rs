//! The option `on_error`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::LitStr;
use syn::parse::{Parse, ParseStream};

/// What happens after a delivery that did not succeed: `"continue"` or `"resync"`.
pub(crate) enum OnError {
    Continue,
    /// With the text, for errors about it.
    Resync(LitStr),
}

impl Parse for OnError {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let text: LitStr = input.parse()?;
        match &*text.value() {
            "continue" => Ok(Self::Continue),
            "resync" => Ok(Self::Resync(text)),
            _ => Err(syn::Error::new(text.span(), "expected what happens")),
        }
    }
}

impl ToTokens for OnError {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(match self {
            Self::Continue => quote!(__p::OnError::Continue),
            Self::Resync(_) => quote!(__p::OnError::Resync),
        });
    }
}
