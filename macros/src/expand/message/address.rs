//! The addresses of a message: the functions `at` and `at_any` of the type.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Field;
use syn::ext::IdentExt;

use super::bounds::where_used;
use super::model::Message;
use crate::ast::types::{is_primitive_type, is_text, with_every_lifetime};
use crate::spans::{located_at, respanned};

/// Returns the functions that make the addresses of the type.
///
/// A type with a `pattern` has only `at_any`: there is nothing to fill in, and no single channel.
pub(super) fn impls(message: &Message) -> TokenStream {
    let Some(first) = message.args.listen.first() else {
        return TokenStream::new();
    };
    let (name, generics) = (&message.original.ident, &message.original.generics);
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let option = message.args.at.as_ref().unwrap_or(&first.key);
    // If the type has such a function already, the compiler points here.
    let span = located_at(option.span());
    let at_name = match &message.args.at {
        Some(name) => name.clone(),
        None => Ident::new("at", span),
    };
    let any_name = format_ident!("{}_any", at_name.unraw(), span = at_name.span());
    let vis = &message.original.vis;
    let vis = respanned(quote!(#vis), span);
    let (doc, any_doc) = docs(message, &first.key);
    let at = (first.key != "pattern").then(|| {
        let function = at(message);
        quote!(#[doc = #doc] #vis fn #at_name #function)
    });
    let functions = quote! {
        #at
        #[doc = #any_doc]
        #vis fn #any_name() { __p::Address::any() }
    };
    let functions = quote_spanned!(span=> __p::rename_with_push_at! { #functions });
    quote! {
        #[allow(clippy::too_many_arguments, dead_code)]
        impl #impl_generics #name #ty_generics #where_clause {
            #functions
        }
    }
}

/// Returns what the functions say about themselves.
fn docs(message: &Message, option: &Ident) -> (String, String) {
    let listens = &message.args.listen;
    let names: Vec<_> = listens
        .iter()
        .map(|listen| format!("`{}`", listen.text()))
        .collect();
    let (names, plural) = (names.join(", "), if names.len() > 1 { "s" } else { "" });
    let all = format!("Returns the address of the {option}{plural} {names}.");
    if message.params().is_empty() {
        return (all.clone(), all);
    }
    (
        format!("Returns the address of the {option}{plural} {names} with these params."),
        format!("Returns the address of every {option} {names}."),
    )
}

/// Returns the arguments and the body of `at`. The arguments are the params, in the order of the
/// template.
fn at(message: &Message) -> TokenStream {
    let params: Vec<_> = message
        .params()
        .iter()
        .enumerate()
        .map(|(index, name)| Param::of(message, index, name))
        .collect();
    if params.is_empty() {
        return quote!(() { __p::Address::any() });
    }
    let arguments = params
        .iter()
        .map(|Param { ident, ty, .. }| quote!(#ident: #ty));
    let values = params
        .iter()
        .map(|Param { name, ident, .. }| quote!((#name, &#ident)));
    let bounds: Vec<_> = params
        .iter()
        .filter_map(|param| param.bound.as_ref())
        .collect();
    let bounds = (!bounds.is_empty()).then(|| quote!(where [#(#bounds),*]));
    quote!((#(#arguments),*) #bounds { __p::Address::new(&[#(#values),*]) })
}

/// A param as an argument.
struct Param<'m> {
    name: &'m str,
    ident: Ident,
    ty: TokenStream,
    /// What must hold for its value to be written. A type that is only received need not hold it,
    /// unless its address is used.
    bound: Option<TokenStream>,
}

impl<'m> Param<'m> {
    fn of(message: &Message, index: usize, name: &'m str) -> Self {
        let mut fields = message.fields();
        let field = fields
            .find(|(field, _)| field == name)
            .map(|(_, field)| field);
        let Some(Field {
            ident: Some(ident),
            ty,
            ..
        }) = field
        else {
            // This is an error already. The function is only there for its callers.
            return Self {
                name,
                ident: format_ident!("__{index}"),
                ty: quote!(impl ::core::fmt::Display),
                bound: None,
            };
        };
        let (ty, bound) = if is_text(ty) {
            (quote!(&str), None)
        } else {
            let bound =
                (!is_primitive_type(ty)).then(|| where_used(ty, quote!(::core::fmt::Display)));
            let ty = with_every_lifetime(ty, "'_");
            (quote!(#ty), bound)
        };
        Self {
            name,
            ident: ident.clone(),
            ty,
            bound,
        }
    }
}
