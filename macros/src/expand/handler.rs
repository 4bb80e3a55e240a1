//! The expansion of `#[push_handler]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::fallback;
use super::glue::{
    Returns, bounds, call, conversion_import, expand_function, handler_type, import_handler,
    probed_state, state,
};
use crate::ast::Function;
use crate::ast::types::{Namesake, readable, with_lifetime};
use crate::attr::{Args, Listen, PUSH_HANDLER, constants};
use crate::errors::Errors;
use crate::spans::{ends, located_at, parenthesized, respanned};

/// An async function that handles pushes, and its options.
struct PushHandler {
    args: Args,
    function: Function,
}

pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    expand_function(
        "push_handler",
        PUSH_HANDLER,
        args,
        item,
        |args, mut function, errors| {
            function.write_lifetimes(&types_with_lifetimes(&args));
            let handler = PushHandler { args, function };
            handler.validate(errors);
            if errors.is_empty() {
                handler.expand()
            } else {
                fallback::push_handler(&handler.args, &handler.function)
            }
        },
    )
}

/// Returns the names of this crate's types that have a lifetime. A type that is called `KeyEvent` may
/// be the user's, so it is only taken for ours where ours can be taken.
fn types_with_lifetimes(args: &Args) -> Vec<&'static str> {
    let mut names = vec!["ChannelName", "MatchedPattern"];
    match args.listen.first().map(|listen| listen.key.to_string()) {
        Some(key) if key == "keyspace" => names.push("KeyEvent"),
        Some(key) if key == "connection" => names.push("ConnectionEvent"),
        _ => {}
    }
    names
}

impl PushHandler {
    fn validate(&self, errors: &mut Errors) {
        self.args.validate(errors);
        self.function.validate(errors);
        for param in self.function.params() {
            self.args.validate_param(&param, errors);
        }
        let params = self.args.params();
        for (name, ty) in self.function.scalar_arguments() {
            if params.contains(&&*name) {
                let ty_text = readable(ty);
                errors.on(
                    ty,
                    format!(
                        "to take `{{{name}}}` from the channel's name, write `Param({name}): \
                         Param<{ty_text}>`"
                    ),
                );
            } else if self.args.state.is_none() {
                // The compiler would report it here, and again where the handler is mounted. With a
                // state of its own, the user can implement `FromPush` for it.
                let text = readable(ty);
                let whole = if text == "String" { "&str" } else { "Text<_>" };
                let whole = whole.replace('_', &text);
                errors.on(
                    ty,
                    format!(
                        "`{text}` cannot be used as a push handler argument; for the payload take \
                         `{whole}` or `Json<{text}>`, for a part of the channel's name \
                         `Param({name}): Param<{text}>`"
                    ),
                );
            }
        }
    }

    fn expand(&self) -> TokenStream {
        let Self { args, function } = self;
        let (krate, name) = (args.krate(), function.name());
        let allows = &function.allows;
        let constants = constants(&args.listen);
        let checks = self.argument_checks();
        let conversion = conversion_import(function);
        let (gap_import, gap_bound, handle_gap) = self.on_gap();
        let (params, state) = state(args);
        let bounds = bounds(args, function, &quote!(__p::FromPush), gap_bound);
        let spec = self.spec();
        let call = call(function, quote!(__p::arg(__push, __state)), Returns::Answer);
        let own_state = args.state.iter();
        let collect =
            cfg!(feature = "collect").then(|| quote!(__p::collect!(#name #(, #own_state)*);));
        let handle = quote_spanned! {located_at(name.span())=>
            async fn handle(&self, __push: __p::Push<'_>, __state: &#state) -> __p::Handled {
                #call
            }
        };
        let items = quote! {
            #(#allows)*
            const _: () = {
                use #krate::__private as __p;
                #conversion
                #gap_import
                #constants
                #checks
                impl #params __p::Handler<#state> for #name #bounds {
                    #spec
                    #handle
                    #handle_gap
                }
                #collect
            };
        };
        handler_type(args, function, &items)
    }

    /// Returns the constant that checks the arguments, each at its own type.
    ///
    /// A constant is evaluated whether the handler is mounted or not. The runtime's `ArgumentChecks` has a
    /// `const fn` for each rule, and their panics are the errors.
    fn argument_checks(&self) -> TokenStream {
        let state = probed_state(&self.args);
        let channel_params = self.param_lists();
        let extracted: Vec<_> = self
            .function
            .arguments_and_params()
            .filter(|(_, param)| param.is_none())
            .map(|(ty, _)| {
                let text = readable(ty);
                let probe = with_lifetime(ty, "'static");
                let (first, last) = ends(ty);
                let check = match Namesake::of(ty) {
                    // What a named state does not hold is the better error.
                    Some(Namesake::State) if self.args.state.is_none() => quote!(state_arg),
                    Some(Namesake::Extension) => quote!(extension_arg),
                    Some(Namesake::Path) => quote!(path_arg),
                    Some(Namesake::Query) => quote!(query_arg),
                    Some(Namesake::Gap) => quote!(gap_arg),
                    Some(Namesake::Reference) => quote!(reference_arg),
                    _ => quote!(arg),
                };
                let check = respanned(check, first);
                let method = quote_spanned!(first=> __checks.#check::<#probe>);
                let argument = parenthesized(quote!(#text), last);
                quote!(#method #argument;)
            })
            .collect();
        let fills = self.args.listen.iter().filter_map(|listen| {
            let params = param_list(listen)?;
            let (first, last) = ends(&listen.name);
            let method = quote_spanned!(first=> __checks.fills);
            let argument = parenthesized(params, last);
            Some(quote!(#method #argument;))
        });
        let params = self.function.params().flat_map(|param| {
            let (name, span) = (&param.name, param.span);
            let ty = with_lifetime(param.ty, "'static");
            let method = quote_spanned!(located_at(span)=> __checks.param::<#ty, _>);
            let with = move |params| parenthesized(quote!(#name, #params), span);
            let checks = channel_params.iter().map(move |params| {
                let arguments = with(params);
                quote!(#method #arguments;)
            });
            checks.collect::<Vec<_>>()
        });
        let ordered_by = self.args.ordered_by.iter().flat_map(|key| {
            let method = quote_spanned!(located_at(key.span())=> __checks.is_ordered_by);
            let checks = channel_params.iter().map(move |params| {
                let arguments = parenthesized(quote!(#key, #params), key.span());
                quote!(#method #arguments;)
            });
            checks.collect::<Vec<_>>()
        });
        let also = self.args.listen.iter().filter_map(Listen::const_name);
        let also = quote!(#(.also(&#also))*);
        let names: Vec<_> = self.function.params().map(|param| param.name).collect();
        let named = (!names.is_empty()).then(|| quote!(.with_params(&[#(#names),*])));
        let (rules, end) = match self.args.strictest() {
            Some(listen) => (listen.argument_rules(), quote!(__checks)),
            // The handler listens to what its message type names.
            None => (quote!(OWN), quote!(__checks.listens())),
        };
        // Only `arg` changes the value; without it, `mut` would be a warning.
        let mutable = (!extracted.is_empty()).then(|| quote!(mut));
        quote! {
            const __CHECKS: __p::ArgumentChecks<#state> = {
                let #mutable __checks = __p::ArgumentChecks::<#state>::#rules #also #named;
                #(#extracted)*
                #(#fills)*
                #(#params)*
                #(#ordered_by)*
                #end
            };
        }
    }

    /// Returns the lists of params that each contain what every channel has: that of the channels
    /// in quotes, and one for each constant.
    fn param_lists(&self) -> Vec<TokenStream> {
        let listens = &self.args.listen;
        let constants = listens.iter().filter(|listen| listen.is_constant());
        let constants: Vec<_> = constants.filter_map(param_list).collect();
        let has_literals = constants.len() < listens.len() || listens.is_empty();
        let params = self.args.params();
        let literals = has_literals.then(|| quote!(&[#(#params),*]));
        literals.into_iter().chain(constants).collect()
    }

    fn spec(&self) -> TokenStream {
        let label = self.function.label();
        let subscriptions: Vec<_> = self.args.listen.iter().map(Listen::subscription).collect();
        let on = match &*subscriptions {
            [] => TokenStream::new(),
            [one] => quote!(.on(#one)),
            // One call, because the compiler would nest many.
            several => quote!(.on_all(const { &[#(#several),*] })),
        };
        let buffer = self.args.buffer.iter();
        let buffer_bytes = self.args.buffer_bytes.iter();
        let overflow = self.args.overflow.iter();
        let timeout = self.args.timeout.iter();
        let workers = self.args.workers.iter();
        let ordered_by = self.args.ordered_by.iter();
        let stall_limit = self.args.stall_limit.iter();
        let on_gap = self.args.on_gap.iter().map(readable);
        let on_error = self.args.on_error.iter();
        let retry = self.args.retry.iter().map(|times| {
            let delay = self.args.retry_delay.iter();
            quote!(__p::Retry::times(#times)#(.delay(#delay))*)
        });
        let required = self.args.required.then(|| quote!(.required()));
        quote! {
            fn spec(&self) -> __p::Spec {
                __CHECKS.spec(#label, ::core::file!(), ::core::line!())
                    #on
                    #(.buffer(#buffer))*
                    #(.buffer_bytes(#buffer_bytes))*
                    #(.overflow(#overflow))*
                    #(.timeout(#timeout))*
                    #(.workers(#workers))*
                    #(.ordered_by(#ordered_by))*
                    #(.stall_limit(#stall_limit))*
                    #required
                    #(.on_gap(#on_gap))*
                    #(.on_error(#on_error))*
                    #(.retry(#retry))*
            }
        }
    }

    /// Returns the import of the gap handler's type, its bound, and the method that calls it.
    fn on_gap(&self) -> (TokenStream, Option<TokenStream>, TokenStream) {
        let Some(path) = &self.args.on_gap else {
            return Default::default();
        };
        let (_, state) = state(&self.args);
        let import = import_handler(path, "gap_handler");
        let handle_gap = quote_spanned! {ends(path).0=>
            async fn handle_gap(&self, __gap: &__p::Gap, __state: &#state) -> __p::Handled {
                __p::GapHandler::handle(&__Handler {}, __gap, __state).await
            }
        };
        let bound = quote!(__Handler: __p::GapHandler<#state>);
        (import, Some(bound), handle_gap)
    }
}

/// Returns the list of the params of a name, if it may have some.
fn param_list(listen: &Listen) -> Option<TokenStream> {
    if let Some(name) = listen.const_name() {
        return Some(quote!(&#name.params::<{ #name.params_len() }>()));
    }
    let params = listen.params();
    (!params.is_empty()).then(|| quote!(&[#(#params),*]))
}
