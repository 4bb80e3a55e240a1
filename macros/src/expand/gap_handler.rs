//! The expansion of `#[gap_handler]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::fallback;
use super::glue::{Returns, bounds, call, expand_function, handler_type, probed_state, state};
use crate::ast::Function;
use crate::ast::types::{Namesake, with_lifetime};
use crate::attr::{Args, GAP_HANDLER};
use crate::spans::{ends, located_at, respanned};

/// An async function that handles gaps, and its options.
struct GapHandler {
    args: Args,
    function: Function,
}

pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    expand_function(
        "gap_handler",
        GAP_HANDLER,
        args,
        item,
        |args, function, errors| {
            function.validate(errors);
            if errors.is_empty() {
                GapHandler { args, function }.expand()
            } else {
                fallback::gap_handler(&args, &function)
            }
        },
    )
}

impl GapHandler {
    fn expand(&self) -> TokenStream {
        let Self { args, function } = self;
        let (krate, name) = (args.krate(), function.name());
        let allows = &function.allows;
        let (params, state) = state(args);
        let bounds = bounds(args, function, &quote!(__p::FromGap), None);
        let checks = self.argument_checks();
        let call = call(
            function,
            quote!(__p::gap_arg(__gap, __state)),
            Returns::Outcome,
        );
        let handle = quote_spanned! {located_at(name.span())=>
            async fn handle(&self, __gap: &__p::Gap, __state: &#state) -> __p::Handled {
                #call
            }
        };
        let items = quote! {
            #(#allows)*
            const _: () = {
                use #krate::__private as __p;
                #(#checks)*
                impl #params __p::GapHandler<#state> for #name #bounds {
                    #handle
                }
            };
        };
        handler_type(args, function, &items)
    }

    /// Returns a check for each argument, which fails at its type.
    fn argument_checks(&self) -> impl Iterator<Item = TokenStream> {
        let state = probed_state(&self.args);
        self.function.arguments().map(move |ty| {
            let probe = with_lifetime(ty, "'static");
            let is_state = matches!(
                Namesake::of(ty),
                Some(Namesake::State | Namesake::Extension)
            );
            let check = if is_state && self.args.state.is_none() {
                quote!(check_gap_state_arg)
            } else {
                quote!(check_gap_arg)
            };
            let check = respanned(check, ends(ty).0);
            let check = quote_spanned!(ends(ty).0=> __p::#check::<#probe, #state>());
            quote!(const _: () = #check;)
        })
    }
}
