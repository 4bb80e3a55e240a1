use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use crate::args::{self, Args};
use crate::errors::Errors;
use crate::fallback;
use crate::impls::{Ending, bounds, call, probed_state, state};
use crate::listen::Listen;
use crate::mount::named_type;
use crate::signature::Function;
use crate::spans::{closed_at, ends, placed};
use crate::types::{readable, via, with_lifetime};

/// `#[push_handler]`: an async function and what it listens to.
struct PushHandler {
    args: Args,
    function: Function,
}

pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::from_syn(args, args::PUSH_HANDLER, &mut errors);
    let function = Function::from_syn("push_handler", item.clone());
    let Some(function) = errors.take(function) else {
        let errors = errors.into_tokens();
        return quote!(#item #errors);
    };
    let handler = PushHandler { args, function };
    handler.validate(&mut errors);
    let made = match errors.is_empty() {
        true => handler.expand(),
        false => fallback::push_handler(&handler.args, &handler.function),
    };
    let errors = errors.into_tokens();
    quote!(#item #errors #made)
}

impl PushHandler {
    fn validate(&self, errors: &mut Errors) {
        self.args.validate(errors);
        self.function.validate(errors);
        let params = self.args.params();
        for (name, ty) in self.function.plain_arguments() {
            if params.contains(&&*name) {
                let written = readable(ty);
                errors.on(
                    ty,
                    format!(
                        "for what `{{{name}}}` stands for in the channel's name write `Param({name}): \
                         Param<{written}>`"
                    ),
                );
            }
        }
    }

    fn expand(&self) -> TokenStream {
        let Self { args, function } = self;
        let (krate, cfgs, name) = (args.krate(), &function.cfgs, function.name());
        let deprecated = function.deprecated.then(|| quote!(#[allow(deprecated)]));
        let marker = fallback::marker(function);
        let (checks, subscriptions) = self.takes();
        let (gap_import, gap_bound, handle_gap) = self.on_gap();
        let (params, state) = state(args);
        let bounds = bounds(args, function, &quote!(__p::FromPush), gap_bound);
        let spec = self.spec(&subscriptions);
        let call = call(function, quote!(__p::arg(__push, __state)), Ending::Answer);
        let own_state = args.state.iter();
        let collect =
            cfg!(feature = "collect").then(|| quote!(__p::collect!(#name #(, #own_state)*);));
        let handle = quote_spanned! {placed(name.span())=>
            async fn handle(&self, __push: __p::Push<'_>, __state: &#state) -> __p::Handled {
                #call
            }
        };
        quote! {
            #marker
            #(#cfgs)*
            #deprecated
            const _: () = {
                use #krate::__private as __p;
                #gap_import
                #checks
                impl #params __p::Handler<#state> for #name #bounds {
                    #spec
                    #handle
                    #handle_gap
                }
                #collect
            };
        }
    }

    /// The check of the arguments, and what the handler listens to.
    fn takes(&self) -> (TokenStream, TokenStream) {
        let state = probed_state(&self.args);
        let extracted = self.function.arguments_and_params();
        let extracted = extracted.filter(|(_, param)| param.is_none());
        let checks = extracted.map(|(ty, _)| {
            let written = readable(ty);
            let probe = with_lifetime(ty, "'static");
            let (first, last) = ends(ty);
            let method = quote_spanned!(first=> __takes.arg::<#probe>);
            let written = closed_at(last, quote!(#written));
            quote!(#method #written;)
        });
        let (kind, end, subscriptions) = match self.args.strictest() {
            Some(strictest) => {
                let kind = strictest.takes();
                let each = self.args.listen.iter().map(Listen::expand);
                (kind, quote!(__takes), quote!(#(.on(#each))*))
            }
            None => {
                // It adds what the message type names.
                (quote!(OWN), quote!(__takes.listens()), TokenStream::new())
            }
        };
        let listen = self.args.listen.iter();
        let fills = listen
            .filter(|listen| !listen.params().is_empty())
            .map(|listen| {
                let (params, (first, last)) = (listen.params(), ends(&listen.name));
                let names = closed_at(last, quote!(&[#(#params),*]));
                let method = quote_spanned!(first=> __takes.fills);
                quote!(#method #names;)
            });
        let listened = self.args.params();
        let named = self.function.params().map(|param| {
            let (text, span) = (&param.name, param.span);
            let (ty, via) = (with_lifetime(param.ty, "'static"), via(param.inside));
            let method = quote_spanned!(placed(span)=> __takes.param::<#ty, __p::#via>);
            let names = closed_at(span, quote!(#text, &[#(#listened),*]));
            quote!(#method #names;)
        });
        let ordered = self.args.ordered_by.iter().map(|key| {
            let params = &listened;
            let method = quote_spanned!(placed(key.span())=> __takes.is_ordered_by);
            let names = closed_at(key.span(), quote!(#key, &[#(#params),*]));
            quote!(#method #names;)
        });
        // A handler without arguments has nothing to change in it.
        let mut extracted = self.function.arguments_and_params();
        let mutable = extracted
            .any(|(_, param)| param.is_none())
            .then(|| quote!(mut));
        let checks = quote! {
            const __TAKES: __p::Takes<#state> = {
                let #mutable __takes = __p::Takes::<#state>::#kind;
                #(#checks)*
                #(#fills)*
                #(#named)*
                #(#ordered)*
                #end
            };
        };
        (checks, subscriptions)
    }

    fn spec(&self, subscriptions: &TokenStream) -> TokenStream {
        let label = self.function.label();
        let buffer = self.args.buffer.iter();
        let buffer_bytes = self.args.buffer_bytes.iter();
        let overflow = self.args.overflow.iter();
        let timeout = self.args.timeout.iter();
        let workers = self.args.workers.iter();
        let ordered_by = self.args.ordered_by.iter();
        let stall_limit = self.args.stall_limit.iter();
        let on_gap = self.args.on_gap.iter().map(readable);
        let required = self.args.required.then(|| quote!(.required()));
        quote! {
            fn spec(&self) -> __p::Spec {
                __TAKES.spec(#label, ::core::file!(), ::core::line!())
                    #subscriptions
                    #(.buffer(#buffer))*
                    #(.buffer_bytes(#buffer_bytes))*
                    #(.overflow(#overflow))*
                    #(.timeout(#timeout))*
                    #(.workers(#workers))*
                    #(.ordered_by(#ordered_by))*
                    #(.stall_limit(#stall_limit))*
                    #required
                    #(.on_gap(#on_gap))*
            }
        }
    }

    /// The import of the gap handler's type, its bound, and the method that calls it.
    fn on_gap(&self) -> (TokenStream, Option<TokenStream>, TokenStream) {
        let Some(path) = &self.args.on_gap else {
            return Default::default();
        };
        let (_, state) = state(&self.args);
        let import = named_type(path, "gap_handler");
        let handle_gap = quote_spanned! {ends(path).0=>
            async fn handle_gap(&self, __gap: &__p::Gap, __state: &#state) -> __p::Handled {
                __p::GapHandler::handle(&__Handler {}, __gap, __state).await
            }
        };
        let bound = quote!(__Handler: __p::GapHandler<#state>);
        (import, Some(bound), handle_gap)
    }
}
