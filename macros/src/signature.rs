use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{
    Attribute, FnArg, GenericArgument, GenericParam, Pat, PatType, PathArguments, ReturnType,
    Signature, Type, Visibility,
};

use crate::errors::Errors;
use crate::spans::ends;
use crate::types::{hidden_type, is_unit, with_lifetime};

/// An annotated function: its signature. The body is never parsed, so that an editor can complete
/// in a half-written one.
pub(crate) struct Function {
    /// The attribute's own name, `push_handler` or `gap_handler`.
    pub(crate) attribute: &'static str,
    pub(crate) cfgs: Vec<Attribute>,
    /// Whether a call of it is warned of: the one that the macro writes shall not be.
    pub(crate) deprecated: bool,
    pub(crate) vis: Visibility,
    pub(crate) signature: Signature,
}

/// An argument such as `Param(id): Param<u64>`.
pub(crate) struct ParamArg<'a> {
    /// Its own name, which is the param's.
    pub(crate) name: String,
    pub(crate) span: Span,
    /// The whole type.
    pub(crate) ty: &'a Type,
    /// The type in the angle brackets.
    pub(crate) inside: &'a Type,
}

impl<'a> ParamArg<'a> {
    fn of(argument: &'a PatType) -> Option<Self> {
        let inside = inside_param(&argument.ty)?;
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
            inside,
        })
    }
}

/// Whether a type is written as an `Option`.
fn is_option(ty: &Type) -> bool {
    let Type::Path(path) = ty else {
        return false;
    };
    let last = path.path.segments.last();
    last.is_some_and(|segment| segment.ident == "Option")
}

/// The `T` of a `Param<T>`.
fn inside_param(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else {
        return None;
    };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    match arguments.args.first() {
        Some(GenericArgument::Type(inside)) if last.ident == "Param" => Some(inside),
        _ => None,
    }
}

/// Types that a module cannot give another meaning without surprises.
const PRIMITIVES: [&str; 17] = [
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64",
    "i128", "isize", "f32", "f64",
];

impl Function {
    pub(crate) fn from_syn(attribute: &'static str, item: TokenStream) -> syn::Result<Self> {
        let is_function = declares_a_function(&item);
        let head = |input: ParseStream<'_>| {
            let attributes = input.call(Attribute::parse_outer)?;
            let vis = input.parse()?;
            if !is_function {
                return Err(input.error(not_a_function(attribute)));
            }
            let signature = input.parse()?;
            input.parse::<TokenStream>()?;
            let is = |name| move |attribute: &Attribute| attribute.path().is_ident(name);
            Ok(Self {
                attribute,
                deprecated: attributes.iter().any(is("deprecated")),
                cfgs: attributes.into_iter().filter(is("cfg")).collect(),
                vis,
                signature,
            })
        };
        head.parse2(item)
    }

    pub(crate) fn validate(&self, errors: &mut Errors) {
        let Self { signature, .. } = self;
        let name = &signature.ident;
        let what = self.attribute.replace('_', " ");
        if signature.asyncness.is_none() {
            errors.on(
                signature.fn_token,
                format!(
                    "`#[{}]` needs an async function: write `async fn {name}`",
                    self.attribute
                ),
            );
        }
        let mut plain = |token: Option<&dyn ToTokens>, word: &str| {
            if let Some(token) = token {
                errors.on(token, format!("{what} `{name}` cannot be `{word}`"));
            }
        };
        plain(
            signature.constness.as_ref().map(|token| token as _),
            "const",
        );
        plain(signature.abi.as_ref().map(|token| token as _), "extern");
        match &signature.safety {
            syn::Safety::Unsafe(token) => plain(Some(token), "unsafe"),
            syn::Safety::Safe(token) => plain(Some(token), "safe"),
            syn::Safety::Default => {}
        }
        let no_type = "handlers are mounted by name, with no type to infer from";
        for param in &signature.generics.params {
            if !matches!(param, GenericParam::Lifetime(_)) {
                errors.on(
                    param,
                    format!("{what} `{name}` cannot be generic: {no_type}"),
                );
            }
        }
        for argument in &signature.inputs {
            match argument {
                FnArg::Receiver(receiver) => errors.on(
                    receiver,
                    format!("{what} `{name}` cannot take `self`; share data with `State<T>`"),
                ),
                FnArg::Typed(argument) => {
                    let mut attributes = argument.attrs.iter();
                    if let Some(cfg) = attributes.find(|a| a.path().is_ident("cfg")) {
                        errors.on(
                            cfg,
                            "the macro cannot tell whether this `#[cfg]` holds: put it on the whole \
                             handler, and write another without the argument",
                        );
                    }
                    if inside_param(&argument.ty).is_some() && ParamArg::of(argument).is_none() {
                        errors.on(
                            &argument.pat,
                            "an argument `Param` is named like its param: `Param(id): Param<u64>`",
                        );
                    }
                    let optional = inside_param(&argument.ty).filter(|inside| is_option(inside));
                    if let Some(optional) = optional {
                        errors.on(
                            optional,
                            "a param is in every channel that the handler hears; take it without \
                             the `Option`, or `Option<Param<_>>` for one that may not parse",
                        );
                    }
                    if let Some(hidden) = hidden_type(&argument.ty) {
                        errors.at(
                            hidden,
                            format!("{what} `{name}` cannot be generic: {no_type}"),
                        );
                    }
                }
            }
        }
        if PRIMITIVES.iter().any(|primitive| name == primitive) {
            errors.on(
                name,
                format!(
                    "{what} `{name}` has the name of a primitive type, which the type that is made \
                     beside it would hide"
                ),
            );
        }
    }

    pub(crate) fn name(&self) -> &Ident {
        &self.signature.ident
    }

    /// The name without the `r#` of a raw one.
    pub(crate) fn label(&self) -> String {
        self.name().unraw().to_string()
    }

    /// The types of the arguments.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &Type> {
        self.typed().map(|argument| &*argument.ty)
    }

    fn typed(&self) -> impl Iterator<Item = &PatType> {
        self.signature
            .inputs
            .iter()
            .filter_map(|argument| match argument {
                FnArg::Typed(argument) => Some(argument),
                FnArg::Receiver(_) => None,
            })
    }

    /// For each argument, the param that it is named like, if it is a `Param`.
    pub(crate) fn arguments_and_params(
        &self,
    ) -> impl Iterator<Item = (&Type, Option<ParamArg<'_>>)> {
        self.typed()
            .map(|argument| (&*argument.ty, ParamArg::of(argument)))
    }

    /// The arguments that are named like a param.
    pub(crate) fn params(&self) -> impl Iterator<Item = ParamArg<'_>> {
        self.typed().filter_map(ParamArg::of)
    }

    /// The arguments that are a name and a type which is no extractor: a number, a `String` or so.
    pub(crate) fn plain_arguments(&self) -> impl Iterator<Item = (String, &Type)> {
        self.typed().filter_map(|argument| {
            let (Pat::Ident(name), Type::Path(ty)) = (&*argument.pat, &*argument.ty) else {
                return None;
            };
            let ty = ty.path.get_ident()?;
            let is_plain = ty == "String" || PRIMITIVES.iter().any(|primitive| ty == primitive);
            is_plain.then(|| (name.ident.unraw().to_string(), &*argument.ty))
        })
    }

    /// The return type as it may be written in another function.
    pub(crate) fn returned_type(&self) -> Option<Type> {
        match &self.signature.output {
            ReturnType::Type(_, ty)
                if hidden_type(ty).is_none() && !matches!(**ty, Type::Never(_)) =>
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

    /// Whether it is a method: in an `impl` nothing can stand beside it but more of the kind.
    pub(crate) fn is_method(&self) -> bool {
        self.signature.receiver().is_some()
    }

    /// Where the return type stands, or else the name.
    pub(crate) fn return_span(&self) -> (Span, Span) {
        match &self.signature.output {
            ReturnType::Type(_, ty) => ends(ty),
            ReturnType::Default => ends(self.name()),
        }
    }
}

fn not_a_function(attribute: &str) -> String {
    let hint = match attribute {
        "push_handler" => "; for a message type use `#[derive(PushMessage)]`",
        _ => "",
    };
    format!("`#[{attribute}]` goes on an async function{hint}")
}

/// Whether `fn` stands before the item's first bracket, other than those of attributes.
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
    fn other_items_are_told_from_functions() {
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
