//! Code that the impls of push handlers and gap handlers share.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Path;

use crate::ast::Function;
use crate::ast::types::{text_conversion, with_lifetime};
use crate::attr::Args;
use crate::errors::Errors;
use crate::spans::{ends, located_at, parenthesized, respanned};

/// Expands an attribute on a function: the function as it is, the errors, and what `expand` returns.
///
/// `expand` validates. Once there are errors, it returns something that keeps the rest of the
/// program compiling, so that one mistake is one error. `options` are those of the attribute.
pub(crate) fn expand_function(
    attribute: &'static str,
    options: &[&str],
    args: TokenStream,
    item: TokenStream,
    expand: impl FnOnce(Args, Function, &mut Errors) -> TokenStream,
) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::from_syn(args, options, &mut errors);
    let function = Function::from_syn(attribute, item.clone());
    let expansion = errors
        .handle(function)
        .map(|function| expand(args, function, &mut errors));
    let errors = errors.into_tokens();
    quote!(#item #errors #expansion)
}

/// Returns the type that has a handler's name, and that `handlers!` mounts, with items beside it.
///
/// The items are in an attribute of the type: where a function is in an `impl`, which no macro can see,
/// the type is the only error then, at the function's name.
///
/// Its tokens have the macro's span. The compiler's warning for a handler that is never mounted then
/// appears once, for the function.
pub(crate) fn handler_type(args: &Args, function: &Function, items: &TokenStream) -> TokenStream {
    let Function { cfgs, vis, .. } = function;
    let (krate, name) = (args.krate(), function.name());
    let kind = quote_spanned!(located_at(name.span())=> struct);
    let end = quote_spanned!(located_at(name.span())=> {});
    quote! {
        #(#cfgs)*
        #[#krate::__private::beside { #items }]
        #[doc(hidden)]
        #[allow(non_camel_case_types)]
        #vis #kind #name #end
    }
}

/// Returns code that imports the type of the handler at `path` as `__Handler`, and checks that the
/// function has the attribute.
///
/// For a function without the attribute `__p::stand_in` provides the type, so that the check can fail
/// with a sentence. The check also uses the name as a value, so that an unknown name is one error.
pub(crate) fn import_handler(path: &Path, attribute: &str) -> TokenStream {
    let kind = attribute.replace('_', " ");
    let name = last_name(path);
    let text = format!("`{name}` is not a {kind}; annotate it with `#[{attribute}]`");
    let first = ends(path).0;
    let alias = format_ident!("__Handler", span = first);
    let check = check(path, &quote!(__Handler::IS_HANDLER), &text);
    // The compiler takes an import of a single unknown name for that of a crate. A macro of that name
    // lets the import succeed, so that the only error is that of the value, which suggests a similar
    // name. The import of a longer path suggests one itself.
    let (value, any) = match path.get_ident() {
        Some(name) => (path.to_token_stream(), Some(import_of_any(name))),
        None => (alias.to_token_stream(), None),
    };
    quote! {
        use __p::stand_in::*;
        const _: () = {
            let _ = #value;
            #check
        };
        #any
        use #path as #alias;
    }
}

/// Returns code that imports the type of the handler at `path` as `__Handler`, and refuses it, because
/// its function is called. A function without the attribute, or a closure, is called by a stand-in.
pub(crate) fn import_called(path: &Path) -> TokenStream {
    let name = last_name(path);
    let text = format!(
        "`{name}` is called here; a handler is mounted by its name: write `{name}` without parentheses"
    );
    let check = check(path, &quote!(!__Handler::IS_HANDLER), &text);
    let alias = format_ident!("__Handler", span = ends(path).0);
    let any = path.get_ident().map(import_of_any);
    quote! {
        use __p::stand_in::*;
        const _: () = { #check };
        #any
        #[allow(unused_imports)]
        use #path as #alias;
    }
}

/// Returns an assertion with the caret under the path.
fn check(path: &Path, condition: &TokenStream, text: &str) -> TokenStream {
    let (first, last) = ends(path);
    let check = quote_spanned!(first=> ::core::assert!);
    let condition = parenthesized(quote!(#condition, #text), last);
    quote!(#check #condition)
}

fn last_name(path: &Path) -> String {
    let last = path.segments.last();
    last.map(|segment| segment.ident.to_string())
        .unwrap_or_default()
}

/// Returns a macro of this name, so that an import of the name succeeds.
fn import_of_any(name: &Ident) -> TokenStream {
    quote!(#[allow(unused_macros)] macro_rules! #name { () => {}; })
}

/// Returns the generics of the impl, and the type of its state.
pub(crate) fn state(args: &Args) -> (TokenStream, TokenStream) {
    match &args.state {
        Some(state) => (TokenStream::new(), quote!(#state)),
        None => (quote!(<__S: ::core::marker::Sync>), quote!(__S)),
    }
}

/// Returns the type of state that arguments are checked against where they are written.
///
/// A handler without `state = ..` does not know its state, so a stand-in takes its place.
pub(crate) fn probed_state(args: &Args) -> TokenStream {
    match &args.state {
        Some(state) => quote!(#state),
        None => quote!(__p::AnyState),
    }
}

/// Returns the `where` clause of the impl: what each argument needs of the state, and `more`.
///
/// `for<'__p>` stops the compiler from reporting here, a second time, what the check of the
/// arguments reports.
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
                let ty = with_lifetime(param.ty, "'__p");
                let inner = with_lifetime(param.inner, "'__p");
                quote!(for<'__p> #ty: __p::NamedParam<#inner>)
            }
            None => {
                let ty = with_lifetime(ty, "'__p");
                quote!(for<'__p> #ty: #extractor<'__p, #state>)
            }
        })
        .chain(more);
    quote!(where #(#bounds),*)
}

/// What the return value of a function can be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Returns {
    /// An answer to publish, or an outcome: for a push handler.
    Answer,
    /// Success or failure only: for a gap handler.
    Outcome,
}

/// Returns the import of the trait that converts text by `From<&str>`, if there is a `Param`.
pub(crate) fn conversion_import(function: &Function) -> Option<TokenStream> {
    let has_param = function.params().next().is_some();
    has_param.then(conversion_trait)
}

/// Returns the import of the trait that converts text by `From<&str>`. Types with `FromStr` do not
/// use it.
pub(crate) fn conversion_trait() -> TokenStream {
    quote! {
        #[allow(unused_imports)]
        use __p::ConvertByFrom as _;
    }
}

/// Returns the call of the function, which takes each argument by `extract` and converts the return
/// value.
pub(crate) fn call(function: &Function, extract: TokenStream, returns: Returns) -> TokenStream {
    let name = function.name();
    let arguments = function.arguments_and_params().map(|(ty, param)| {
        let extract = match param {
            Some(param) => {
                let name = &param.name;
                let ty = with_lifetime(param.ty, "'_");
                let convert = text_conversion(&with_lifetime(param.inner, "'_"), false);
                let value = quote!((__p::param_text(#name, __push)?));
                quote!(__p::param_arg::<#ty, _>(#name, #convert #value))
            }
            None => extract.clone(),
        };
        respanned(extract, ends(ty).0)
    });
    let arguments = quote_spanned!(located_at(name.span())=> (#(#arguments?),*).await);
    let (first, last) = function.return_span();
    let called = parenthesized(quote!(#name #arguments), last);
    let returned_type = function.returned_type().map(|ty| quote!(::<#ty>));
    if returns == Returns::Answer && function.returns_something() {
        let answer = quote_spanned!(first=> __p::answer #returned_type);
        return quote!(__p::send(#answer #called, __push).await);
    }
    let outcome = quote_spanned!(first=> __p::outcome #returned_type);
    quote!(#outcome #called)
}
