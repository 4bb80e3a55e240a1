//! What the impls of both kinds of handlers have in common.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Type;

use crate::args::Args;
use crate::signature::Function;
use crate::spans::{closed_at, ends, placed};
use crate::types::with_lifetime;

/// The generics of the impl, and its state.
pub(crate) fn state(args: &Args) -> (TokenStream, TokenStream) {
    match &args.state {
        Some(state) => (TokenStream::new(), quote!(#state)),
        None => (quote!(<__S: ::core::marker::Sync>), quote!(__S)),
    }
}

/// The state that the argument types are checked against where they are written.
pub(crate) fn probed_state(args: &Args) -> TokenStream {
    match &args.state {
        Some(state) => quote!(#state),
        None => quote!(__p::AnyState),
    }
}

/// What must hold of the state. `for<'__p>` keeps the compiler from telling here, a second time,
/// what the check of the arguments tells.
pub(crate) fn bounds(
    args: &Args,
    function: &Function,
    extractor: &TokenStream,
    more: Option<TokenStream>,
) -> TokenStream {
    let (_, state) = state(args);
    let bounds = function.arguments().map(|ty| {
        let ty = with_lifetime(ty, "'__p");
        quote!(for<'__p> #ty: #extractor<'__p, #state>)
    });
    let bounds = bounds.chain(more);
    quote!(where #(#bounds),*)
}

/// The call of the function, each argument taken by `take`, and its return told as an outcome.
pub(crate) fn call(function: &Function, take: TokenStream) -> TokenStream {
    let name = function.name();
    let arguments = function.arguments().map(|ty: &Type| {
        let span = ends(ty).0;
        take.clone()
            .into_iter()
            .map(move |mut token| {
                token.set_span(span);
                token
            })
            .collect::<TokenStream>()
    });
    let called = quote_spanned!(placed(name.span())=> (#(#arguments?),*).await);
    let (first, last) = function.return_span();
    let returned_type = function.returned_type().map(|ty| quote!(::<#ty>));
    let outcome = quote_spanned!(first=> __p::outcome #returned_type);
    let returned = closed_at(last, quote!(#name #called));
    quote!(#outcome #returned)
}
