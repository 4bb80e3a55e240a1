//! The expansion of `handlers![..]`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, ExprBlock, ExprPath, Path, PathArguments, PathSegment, Token, parse_quote};

use super::glue::{import_called, import_handler};
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
            let (mut block, attrs) = match receiver {
                Expr::Path(ExprPath { attrs, path, .. }) => (mount(path), attrs),
                Expr::Call(call) if call.args.is_empty() => match function(&call.func) {
                    Some(path) => (called(path), &mut call.attrs),
                    None => continue,
                },
                _ => continue,
            };
            // A `cfg` on an element removes the whole element, its errors too.
            block.attrs = std::mem::take(attrs);
            *receiver = Expr::Block(block);
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

/// Returns the path of a function that is called, unless it is that of a type or in a type.
fn function(called: &Expr) -> Option<&Path> {
    let Expr::Path(ExprPath {
        path, qself: None, ..
    }) = called
    else {
        return None;
    };
    let is_lower = |segment: &PathSegment| {
        let name = segment.ident.to_string();
        segment.arguments.is_none() && !name.starts_with(char::is_uppercase)
    };
    path.segments.iter().all(is_lower).then_some(path)
}

/// Returns the block that calls a function which makes a mount, and refuses the call of a handler.
fn called(path: &Path) -> ExprBlock {
    let import = import_called(path);
    let first = ends(path).0;
    let call = quote_spanned!(first=> __Handler::called(&#path));
    parse_quote!({ #import #call })
}

/// Returns the block that mounts the handler at `path`.
fn mount(path: &Path) -> ExprBlock {
    let mut errors = Errors::default();
    let mut path = path.clone();
    for segment in &mut path.segments {
        if !segment.arguments.is_none() {
            errors.on(
                &segment.arguments,
                "a handler is not generic: write its name without arguments",
            );
            // The compiler would report them once more.
            segment.arguments = PathArguments::None;
        }
    }
    let errors = errors.into_tokens();
    let import = import_handler(&path, "push_handler");
    let mount = quote_spanned!(ends(&path).0=> __p::mount(__Handler {}));
    parse_quote!({ #errors #import #mount })
}
