//! What the impls of both kinds of handlers have in common.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use crate::args::Args;
use crate::signature::Function;
use crate::spans::{closed_at, ends, placed};
use crate::types::{via, with_lifetime};

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
    let bounds = function
        .arguments_and_params()
        .map(|(ty, param)| match param {
            Some(param) => {
                let (ty, via) = (with_lifetime(param.ty, "'__p"), via(param.inside));
                quote!(for<'__p> #ty: __p::NamedParam<'__p, __p::#via>)
            }
            None => {
                let ty = with_lifetime(ty, "'__p");
                quote!(for<'__p> #ty: #extractor<'__p, #state>)
            }
        });
    let bounds = bounds.chain(more);
    quote!(where #(#bounds),*)
}

/// What becomes of what a function returned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It is an answer, perhaps: of a push handler.
    Answer,
    /// It says how it went, and no more: of a gap handler.
    Outcome,
}

/// The call of the function, each argument taken by `take`, and its return told as an outcome.
pub(crate) fn call(function: &Function, take: TokenStream, ending: Ending) -> TokenStream {
    let name = function.name();
    let arguments = function.arguments_and_params().map(|(ty, param)| {
        let span = ends(ty).0;
        let take = match param {
            Some(param) => {
                let (name, via) = (&param.name, via(param.inside));
                let ty = with_lifetime(param.ty, "'_");
                quote!(__p::param_arg::<#ty, __p::#via>(#name, __push))
            }
            None => take.clone(),
        };
        take.into_iter()
            .map(move |mut token| {
                token.set_span(span);
                token
            })
            .collect::<TokenStream>()
    });
    let called = quote_spanned!(placed(name.span())=> (#(#arguments?),*).await);
    let (first, last) = function.return_span();
    let returned_type = function.returned_type();
    if ending == Ending::Answer && function.returns_something() {
        let returned_type = returned_type.map(|ty| quote!(::<#ty>));
        let answer = quote_spanned!(first=> __p::answer #returned_type);
        let returned = closed_at(last, quote!(#name #called));
        return quote!(__p::send(#answer #returned, __push).await);
    }
    let returned_type = returned_type.map(|ty| quote!(::<#ty>));
    let outcome = quote_spanned!(first=> __p::outcome #returned_type);
    let returned = closed_at(last, quote!(#name #called));
    quote!(#outcome #returned)
}
