use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, ExprPath, Path, PathArguments, Token, parse_quote};

use crate::errors::Errors;
use crate::spans::{closed_at, ends};

/// `handlers![a, path::b, c.on(subscription)]`.
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

    /// Takes off what is wrong, once it is told.
    fn validate(&mut self, errors: &mut Errors) {
        for element in &mut self.elements {
            if let Expr::Path(ExprPath { path, .. }) = root(element) {
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
            let root = root(element);
            if let Expr::Path(ExprPath { path, .. }) = root {
                *root = mounted(&self.krate, path);
            }
        }
        let Self { krate, elements } = self;
        // What stands for an expression is one expression: the errors are inside it.
        quote!({ #errors #krate::__private::mounts([#elements]) })
    }
}

/// What the methods of an element are called on.
fn root(element: &mut Expr) -> &mut Expr {
    match element {
        Expr::MethodCall(call) => root(&mut call.receiver),
        other => other,
    }
}

fn mounted(krate: &TokenStream, path: &Path) -> Expr {
    let import = named_type(path, "push_handler");
    let mount = quote_spanned!(ends(path).0=> __p::mount(__Handler {}));
    parse_quote!({
        use #krate::__private as __p;
        #import
        #mount
    })
}

/// Imports the type of a handler as `__Handler` and checks that an attribute has made it. The value
/// of that name is looked at first: where there is none, the import's own error is enough.
pub(crate) fn named_type(path: &syn::Path, attribute: &str) -> TokenStream {
    let what = attribute.replace('_', " ");
    let last = path
        .segments
        .last()
        .map(|segment| segment.ident.to_string());
    let name = last.unwrap_or_default();
    let text = format!("`{name}` is not a {what}; annotate it with `#[{attribute}]`");
    let (first, last) = ends(path);
    let alias = format_ident!("__Handler", span = first);
    let check = quote_spanned!(first=> ::core::assert!);
    let condition = closed_at(last, quote!(__Handler::IS_HANDLER, #text));
    quote! {
        use __p::plain::*;
        use #path as #alias;
        const _: () = {
            let _ = #alias;
            #check #condition
        };
    }
}
