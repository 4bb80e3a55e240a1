//! The function that an attribute is on: its signature, and the rules that the signature must meet.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, FnArg, GenericParam, Pat, PatType, ReturnType, Signature, Type, Visibility};

use super::attributes::{conditions, silenced_lints};
use super::types::{
    borrows_within_arc, impl_trait_span, inner_of_param, is_option, is_primitive, is_unit,
    with_lifetime, write_lifetimes,
};
use crate::errors::Errors;
use crate::spans::ends;

/// A function with one of our attributes, without its body.
///
/// The body is never parsed, so that an editor can complete inside a half-written one.
pub(crate) struct Function {
    /// The attribute's own name, `push_handler` or `gap_handler`.
    pub(crate) attribute: &'static str,
    pub(crate) cfgs: Vec<Attribute>,
    /// `allow` for each lint that the function silences: generated code repeats its types, and calls
    /// it although it may be deprecated.
    pub(crate) allows: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) signature: Signature,
    /// Whether it is certain to be in an `impl` or a `trait`: it takes `self`, names `Self` or has no
    /// body.
    is_method: bool,
}

/// An argument such as `Param(id): Param<u64>`.
pub(crate) struct ParamArg<'a> {
    /// The name of the argument, which is also that of the param.
    pub(crate) name: String,
    pub(crate) span: Span,
    /// The whole type.
    pub(crate) ty: &'a Type,
    /// The type in the angle brackets.
    pub(crate) inner: &'a Type,
}

impl<'a> ParamArg<'a> {
    fn from_syn(argument: &'a PatType) -> Option<Self> {
        let inner = inner_of_param(&argument.ty)?;
        let ident = match &*argument.pat {
            Pat::Ident(name) => &name.ident,
            Pat::TupleStruct(pattern) => match pattern.elems.first() {
                Some(Pat::Ident(name)) if pattern.elems.len() == 1 => &name.ident,
                _ => return None,
            },
            _ => return None,
        };
        Some(Self {
            name: ident.unraw().to_string(),
            span: ident.span(),
            ty: &argument.ty,
            inner,
        })
    }
}

impl Function {
    pub(crate) fn from_syn(attribute: &'static str, item: TokenStream) -> syn::Result<Self> {
        let is_function = declares_a_function(&item);
        let head = |input: ParseStream<'_>| {
            let attributes = input.call(Attribute::parse_outer)?;
            let vis = input.parse()?;
            if !is_function {
                return Err(input.error(not_a_function(attribute)));
            }
            let signature: Signature = input.parse()?;
            let rest: TokenStream = input.parse()?;
            let has_body = rest.into_iter().any(|token| {
                matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
            });
            let is_method = signature.receiver().is_some()
                || self_type(signature.to_token_stream()).is_some()
                || !has_body;
            Ok(Self {
                attribute,
                cfgs: conditions(&attributes),
                allows: silenced_lints(&attributes),
                vis,
                signature,
                is_method,
            })
        };
        head.parse2(item)
    }

    pub(crate) fn validate(&self, errors: &mut Errors) {
        self.validate_qualifiers(errors);
        for param in &self.signature.generics.params {
            if !matches!(param, GenericParam::Lifetime(_)) {
                errors.on(param, self.cannot("be generic", NO_TYPE));
            }
        }
        if self.is_method && self.signature.receiver().is_none() {
            let token = self_type(self.signature.to_token_stream());
            let span = token.unwrap_or_else(|| self.name().span());
            let hint = "; put the function outside of it, and share data with `State<T>`";
            errors.at(span, self.cannot("be in an `impl` or a `trait`", hint));
        }
        for argument in &self.signature.inputs {
            match argument {
                FnArg::Receiver(receiver) => errors.on(
                    receiver,
                    self.cannot("take `self`", "; share data with `State<T>`"),
                ),
                FnArg::Typed(argument) => self.validate_argument(argument, errors),
            }
        }
        if is_primitive(self.name()) {
            errors.on(
                self.name(),
                format!(
                    "{} `{}` has the name of a primitive type, which it would hide; give it another \
                     name",
                    self.kind(),
                    self.name()
                ),
            );
        }
    }

    fn validate_qualifiers(&self, errors: &mut Errors) {
        let signature = &self.signature;
        if signature.asyncness.is_none() {
            errors.on(
                signature.fn_token,
                format!(
                    "`#[{}]` needs an async function: write `async fn {}`",
                    self.attribute, signature.ident
                ),
            );
        }
        let mut refuse = |token: &dyn ToTokens, word: &str| {
            errors.on(token, self.cannot(&format!("be `{word}`"), ""));
        };
        if let Some(token) = &signature.constness {
            refuse(token, "const");
        }
        if let Some(abi) = &signature.abi {
            refuse(abi, "extern");
        }
        match &signature.safety {
            syn::Safety::Unsafe(token) => refuse(token, "unsafe"),
            syn::Safety::Safe(token) => refuse(token, "safe"),
            syn::Safety::Default => {}
        }
    }

    fn validate_argument(&self, argument: &PatType, errors: &mut Errors) {
        if let Some(cfg) = argument
            .attrs
            .iter()
            .find(|attribute| !conditions(std::slice::from_ref(attribute)).is_empty())
        {
            errors.on(
                cfg,
                "the macro cannot tell whether this `#[cfg]` holds: put it on the whole handler, \
                 and write another without the argument",
            );
        }
        if let Some(inner) = inner_of_param(&argument.ty) {
            if ParamArg::from_syn(argument).is_none() {
                errors.on(
                    &argument.pat,
                    "write the name of the param in the argument: `Param(id): Param<u64>`",
                );
            }
            if is_option(inner) {
                errors.on(
                    inner,
                    "a param is always there: take it without the `Option`, or take an \
                     `Option<Param<_>>` if its text may not parse",
                );
            }
        }
        if let Some(span) = impl_trait_span(&argument.ty) {
            errors.at(span, self.cannot("be generic", NO_TYPE));
        }
        if let Some(span) = borrows_within_arc(&argument.ty) {
            errors.at(
                span,
                "a message that is shared in an `Arc` outlives the push, so it cannot borrow from it: \
                 take it without the `Arc`, or give its type fields that own their data",
            );
        }
    }

    /// The text of an error: which handler cannot do what, and a hint.
    fn cannot(&self, what: &str, hint: &str) -> String {
        format!("{} `{}` cannot {what}{hint}", self.kind(), self.name())
    }

    /// "push handler" or "gap handler".
    fn kind(&self) -> String {
        self.attribute.replace('_', " ")
    }

    pub(crate) fn name(&self) -> &Ident {
        &self.signature.ident
    }

    /// Returns the name without the `r#` of a raw identifier.
    pub(crate) fn label(&self) -> String {
        self.name().unraw().to_string()
    }

    fn typed_arguments(&self) -> impl Iterator<Item = &PatType> {
        self.signature
            .inputs
            .iter()
            .filter_map(|argument| match argument {
                FnArg::Typed(argument) => Some(argument),
                FnArg::Receiver(_) => None,
            })
    }

    /// Writes `'_` after these type names in the arguments, as the user should have.
    pub(crate) fn write_lifetimes(&mut self, names: &[&str]) {
        for argument in &mut self.signature.inputs {
            if let FnArg::Typed(argument) = argument {
                write_lifetimes(&mut argument.ty, names);
            }
        }
    }

    /// Returns the types of the arguments.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &Type> {
        self.typed_arguments().map(|argument| &*argument.ty)
    }

    /// Returns the type of each argument, and the param that it takes if it is a `Param`.
    pub(crate) fn arguments_and_params(
        &self,
    ) -> impl Iterator<Item = (&Type, Option<ParamArg<'_>>)> {
        self.typed_arguments()
            .map(|argument| (&*argument.ty, ParamArg::from_syn(argument)))
    }

    /// Returns the arguments that are a `Param`.
    pub(crate) fn params(&self) -> impl Iterator<Item = ParamArg<'_>> {
        self.typed_arguments().filter_map(ParamArg::from_syn)
    }

    /// Returns the names and types of the arguments whose type is a primitive or a `String`.
    ///
    /// Those are not extractors; a user who writes one probably means a `Param`.
    pub(crate) fn scalar_arguments(&self) -> impl Iterator<Item = (String, &Type)> {
        self.typed_arguments().filter_map(|argument| {
            let (Pat::Ident(name), Type::Path(ty)) = (&*argument.pat, &*argument.ty) else {
                return None;
            };
            let ty = ty.path.get_ident()?;
            (ty == "String" || is_primitive(ty))
                .then(|| (name.ident.unraw().to_string(), &*argument.ty))
        })
    }

    /// Returns the return type if it can be repeated in another function.
    pub(crate) fn returned_type(&self) -> Option<Type> {
        match &self.signature.output {
            ReturnType::Type(_, ty)
                if impl_trait_span(ty).is_none() && !matches!(**ty, Type::Never(_)) =>
            {
                Some(with_lifetime(ty, "'_"))
            }
            _ => None,
        }
    }

    /// Whether it returns something other than `()`.
    pub(crate) fn returns_something(&self) -> bool {
        match &self.signature.output {
            ReturnType::Type(_, ty) => !is_unit(ty) && !matches!(**ty, Type::Never(_)),
            ReturnType::Default => false,
        }
    }

    /// Whether it is a method. An `impl` block can contain no types, so nothing is generated there.
    pub(crate) fn is_method(&self) -> bool {
        self.is_method
    }

    /// Returns the first and the last span of the return type, or else of the name.
    pub(crate) fn return_span(&self) -> (Span, Span) {
        match &self.signature.output {
            ReturnType::Type(_, ty) => ends(ty),
            ReturnType::Default => ends(self.name()),
        }
    }
}

/// Returns where the tokens contain `Self`.
fn self_type(tokens: TokenStream) -> Option<Span> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(word) if word == "Self" => Some(word.span()),
        TokenTree::Group(group) => self_type(group.stream()),
        _ => None,
    })
}

/// Why a handler cannot be generic.
const NO_TYPE: &str = ": handlers are mounted by name, with no type to infer from";

fn not_a_function(attribute: &str) -> String {
    let hint = match attribute {
        "push_handler" => "; for a message type use `#[derive(PushMessage)]`",
        _ => "",
    };
    format!("`#[{attribute}]` goes on an async function{hint}")
}

/// Whether the item is a function: `fn` comes before the first bracket that is not an attribute's.
///
/// syn would answer this only by parsing the whole item, body included.
fn declares_a_function(item: &TokenStream) -> bool {
    let mut before = None;
    for token in item.clone() {
        match &token {
            TokenTree::Ident(word) if word == "fn" => return true,
            TokenTree::Ident(word) if word == "struct" || word == "type" => return false,
            TokenTree::Group(_) if !matches!(before, Some('#') | None) => return false,
            _ => {}
        }
        before = match token {
            TokenTree::Punct(punct) => Some(punct.as_char()),
            TokenTree::Ident(word) if word == "pub" => None,
            _ => Some(' '),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    #[test]
    fn the_body_is_not_parsed() {
        let item = quote!(pub async fn on_x(a: u8) -> u8 { let half = ; a. });
        let function = Function::from_syn("push_handler", item).unwrap();
        assert_eq!(function.label(), "on_x");
        assert_eq!(function.arguments().count(), 1);
    }

    #[test]
    fn functions_are_distinguished_from_other_items() {
        assert!(declares_a_function(&quote!(
            #[doc = "fn"]
            pub(crate) async fn x() {}
        )));
        assert!(declares_a_function(&quote!(
            const unsafe extern "C" fn x() {}
        )));
        assert!(!declares_a_function(&quote!(
            #[derive(Debug)]
            pub struct X {
                f: fn(),
            }
        )));
        assert!(!declares_a_function(&quote!(impl X { fn y() {} })));
        assert!(!declares_a_function(&quote!(
            type F = fn();
        )));
    }
}
