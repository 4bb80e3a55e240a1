//! The expansion of `handlers![..]`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, ExprBlock, ExprPath, Path, PathArguments, Token, parse_quote};

use super::glue::import_handler;
use crate::attr::assumed_crate;
use crate::errors::Errors;
use crate::spans::ends;

/// The list in `handlers![a, path::b, c.on(subscription)]`.
struct Handlers {
    krate: Option<Path>,
    elements: Punctuated<Expr, Token![,]>,
}

pub(crate) fn expand(tokens: TokenStream) -> TokenStream {
    match Handlers::from_syn.parse2(tokens) {
        Ok(handlers) => handlers.expand(),
        Err(error) => error.into_compile_error(),
    }
}

impl Handlers {
    fn from_syn(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut krate = None;
        if input.peek(Token![crate]) && input.peek2(Token![=]) {
            input.parse::<Token![crate]>()?;
            input.parse::<Token![=]>()?;
            krate = Some(input.parse()?);
            input.parse::<Token![;]>()?;
        }
        let elements = Punctuated::parse_terminated(input)?;
        Ok(Self { krate, elements })
    }

    fn expand(self) -> TokenStream {
        let Self {
            krate,
            mut elements,
        } = self;
        for element in &mut elements {
            let receiver = receiver(element);
            if let Expr::Path(ExprPath { attrs, path, .. }) = receiver {
                let mut mount = mount(path);
                // A `cfg` on an element removes the whole element, its errors too.
                mount.attrs = std::mem::take(attrs);
                *receiver = Expr::Block(mount);
            }
        }
        let mut errors = Errors::default();
        let krate = match krate {
            Some(path) => path.into_token_stream(),
            None => assumed_crate(&mut errors),
        };
        let errors = errors.into_tokens();
        // The only mention of the crate: if there is none of that name, that is one error.
        quote!({ #errors use #krate::__private as __p; __p::mounts([#elements]) })
    }
}

/// Returns the expression that the methods of an element are called on.
fn receiver(element: &mut Expr) -> &mut Expr {
    match element {
        Expr::MethodCall(call) => receiver(&mut call.receiver),
        // A path that a `macro_rules!` macro passes on is a group.
        Expr::Group(group) => receiver(&mut group.expr),
        Expr::Paren(paren) => receiver(&mut paren.expr),
        other => other,
    }
}

/// Returns the block that mounts the handler at `path`.
fn mount(path: &Path) -> ExprBlock {
    let mut errors = Errors::default();
    let mut path = path.clone();
    for segment in &mut path.segments {
        if !segment.arguments.is_none() {
            errors.on(&segment.arguments, "a handler is mounted by its name alone");
            // The compiler would report them once more.
            segment.arguments = PathArguments::None;
        }
    }
    let errors = errors.into_tokens();
    let import = import_handler(&path, "push_handler");
    let mount = quote_spanned!(ends(&path).0=> __p::mount(__Handler {}));
    parse_quote!({ #errors #import #mount })
}
