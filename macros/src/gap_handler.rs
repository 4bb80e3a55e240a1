use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use crate::args::{self, Args};
use crate::errors::Errors;
use crate::fallback;
use crate::impls::{Ending, bounds, call, probed_state, state};
use crate::signature::Function;
use crate::spans::{ends, placed};
use crate::types::with_lifetime;

/// `#[gap_handler]`: an async function that is told of gaps.
struct GapHandler {
    args: Args,
    function: Function,
}

pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::from_syn(args, args::GAP_HANDLER, &mut errors);
    let function = Function::from_syn("gap_handler", item.clone());
    let Some(function) = errors.take(function) else {
        let errors = errors.into_tokens();
        return quote!(#item #errors);
    };
    let handler = GapHandler { args, function };
    handler.function.validate(&mut errors);
    let made = match errors.is_empty() {
        true => handler.expand(),
        false => fallback::gap_handler(&handler.args, &handler.function),
    };
    let errors = errors.into_tokens();
    quote!(#item #errors #made)
}

impl GapHandler {
    fn expand(&self) -> TokenStream {
        let Self { args, function } = self;
        let (krate, cfgs, name) = (args.krate(), &function.cfgs, function.name());
        let deprecated = function.deprecated.then(|| quote!(#[allow(deprecated)]));
        let marker = fallback::marker(function);
        let (params, state) = state(args);
        let bounds = bounds(args, function, &quote!(__p::FromGap), None);
        let checks = self.checks();
        let call = call(
            function,
            quote!(__p::gap_arg(__gap, __state)),
            Ending::Outcome,
        );
        let handle = quote_spanned! {placed(name.span())=>
            async fn handle(&self, __gap: &__p::Gap, __state: &#state) -> __p::Handled {
                #call
            }
        };
        quote! {
            #marker
            #(#cfgs)*
            #deprecated
            const _: () = {
                use #krate::__private as __p;
                #(#checks)*
                impl #params __p::GapHandler<#state> for #name #bounds {
                    #handle
                }
            };
        }
    }

    fn checks(&self) -> impl Iterator<Item = TokenStream> {
        let state = probed_state(&self.args);
        self.function.arguments().map(move |ty| {
            let probe = with_lifetime(ty, "'static");
            let check = quote_spanned!(ends(ty).0=> __p::check_gap_arg::<#probe, #state>());
            quote!(const _: () = #check;)
        })
    }
}
