//! The expansion of `handlers![..]`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, ExprPath, Path, PathArguments, Token, parse_quote};

use super::glue::import_handler;
use crate::errors::Errors;
use crate::spans::ends;

/// The list in `handlers![a, path::b, c.on(subscription)]`.
struct Handlers {
    krate: TokenStream,
    elements: Punctuated<Expr, Token![,]>,
}

pub(crate) fn expand(tokens: TokenStream) -> TokenStream {
    match Handlers::from_syn.parse2(tokens) {
        Ok(mut handlers) => {
            let mut errors = Errors::default();
            handlers.validate(&mut errors);
            handlers.expand(errors.into_tokens())
        }
        Err(error) => error.into_compile_error(),
    }
}

impl Handlers {
    fn from_syn(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut krate = quote!(::redis_push);
        if input.peek(Token![crate]) && input.peek2(Token![=]) {
            input.parse::<Token![crate]>()?;
            input.parse::<Token![=]>()?;
            krate = input.parse::<Path>()?.into_token_stream();
            input.parse::<Token![;]>()?;
        }
        let elements = Punctuated::parse_terminated(input)?;
        Ok(Self { krate, elements })
    }

    /// Reports what is wrong in the list and removes it, so that the compiler does not report it
    /// again.
    fn validate(&mut self, errors: &mut Errors) {
        for element in &mut self.elements {
            if let Expr::Path(ExprPath { path, .. }) = receiver(element) {
                for segment in &mut path.segments {
                    if !segment.arguments.is_none() {
                        errors.on(&segment.arguments, "a handler is mounted by its name alone");
                        segment.arguments = PathArguments::None;
                    }
                }
            }
        }
    }

    fn expand(mut self, errors: TokenStream) -> TokenStream {
        for element in &mut self.elements {
            let receiver = receiver(element);
            if let Expr::Path(ExprPath { path, .. }) = receiver {
                *receiver = mount(&self.krate, path);
            }
        }
        let Self { krate, elements } = self;
        // The macro stands for one expression, so the errors go inside it.
        quote!({ #errors #krate::__private::mounts([#elements]) })
    }
}

/// Returns the expression that the methods of an element are called on.
fn receiver(element: &mut Expr) -> &mut Expr {
    match element {
        Expr::MethodCall(call) => receiver(&mut call.receiver),
        other => other,
    }
}

fn mount(krate: &TokenStream, path: &Path) -> Expr {
    let import = import_handler(path, "push_handler");
    let mount = quote_spanned!(ends(path).0=> __p::mount(__Handler {}));
    parse_quote!({
        use #krate::__private as __p;
        #import
        #mount
    })
}
