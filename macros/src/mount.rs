use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Expr, Token, parse_quote};

use crate::errors::Errors;
use crate::handler::named_type;
use crate::signature::ends;

/// `handlers![a, path::b, c.on(subscription)]`.
pub(crate) fn expand(tokens: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let elements = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(tokens);
    let mut elements = errors.take(elements).unwrap_or_default();
    for element in &mut elements {
        let root = root(element);
        if let Expr::Path(path) = root {
            let mounted = mounted(path, &mut errors);
            *root = parse_quote!({ #mounted });
        }
    }
    let elements = elements.iter();
    let errors = errors.into_tokens();
    // A macro in the place of an expression is one expression: the errors stand inside it.
    quote!({ #errors ::redis_push::__private::mounts([#(#elements),*]) })
}

/// What the methods of an element are called on.
fn root(element: &mut Expr) -> &mut Expr {
    match element {
        Expr::MethodCall(call) => root(&mut call.receiver),
        other => other,
    }
}

fn mounted(path: &syn::ExprPath, errors: &mut Errors) -> TokenStream {
    let generic = path
        .path
        .segments
        .iter()
        .find(|segment| !segment.arguments.is_none());
    if let Some(generic) = generic {
        errors.on(&generic.arguments, "a handler is mounted by its name alone");
    }
    let mut plain = path.path.clone();
    for segment in &mut plain.segments {
        segment.arguments = syn::PathArguments::None;
    }
    let import = named_type(&plain, "push_handler");
    let mount = quote_spanned!(ends(&plain).0=> __p::mount(__Handler {}));
    quote! {
        use ::redis_push::__private as __p;
        #import
        #mount
    }
}
