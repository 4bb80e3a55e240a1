//! Types as tokens: rewritten for the places where generated code names them, and recognized by how
//! they are written.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::visit_mut::{self, VisitMut};
use syn::{GenericArgument, Lifetime, PathArguments, PathSegment, Type, parse_quote};

use crate::spans::{ends, located_at};

/// The primitive types. A generated type of the same name would hide them in its module.
const PRIMITIVES: [&str; 17] = [
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64",
    "i128", "isize", "f32", "f64",
];

/// Replaces every lifetime except `'static` with `name`, elided ones too.
pub(crate) fn with_lifetime(ty: &Type, name: &str) -> Type {
    let mut ty = ty.clone();
    SetLifetimes(Lifetime::new(name, Span::call_site())).visit_type_mut(&mut ty);
    ty
}

/// Replaces every lifetime with `name`, `'static` too.
pub(crate) fn with_every_lifetime(ty: &Type, name: &str) -> Type {
    let mut ty = with_lifetime(ty, name);
    SetStatic(Lifetime::new(name, Span::call_site())).visit_type_mut(&mut ty);
    ty
}

struct SetStatic(Lifetime);

impl VisitMut for SetStatic {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "static" {
            *lifetime = self.0.clone();
        }
    }
}

struct SetLifetimes(Lifetime);

impl VisitMut for SetLifetimes {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident != "static" {
            lifetime.ident = format_ident!("{}", self.0.ident, span = lifetime.ident.span());
        }
    }

    fn visit_type_reference_mut(&mut self, reference: &mut syn::TypeReference) {
        reference.lifetime.get_or_insert_with(|| self.0.clone());
        visit_mut::visit_type_reference_mut(self, reference);
    }

    // The lifetimes in `fn(&T)` and `Fn(&T)` are bound by those types themselves.
    fn visit_type_fn_ptr_mut(&mut self, _: &mut syn::TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments_mut(
        &mut self,
        _: &mut syn::ParenthesizedGenericArguments,
    ) {
    }
}

/// Writes `'_` after each of the type names that has no argument.
///
/// The compiler reports a lifetime that is left out where the user has left it out. Generated code
/// that repeats the type would be a second error.
pub(crate) fn write_lifetimes(ty: &mut Type, names: &[&str]) {
    WriteLifetimes(names).visit_type_mut(ty);
}

struct WriteLifetimes<'a>(&'a [&'a str]);

impl VisitMut for WriteLifetimes<'_> {
    fn visit_path_segment_mut(&mut self, segment: &mut PathSegment) {
        if segment.arguments.is_none() && self.0.iter().any(|name| segment.ident == name) {
            let lifetime = Lifetime::new("'_", segment.ident.span());
            segment.arguments = PathArguments::AngleBracketed(parse_quote!(<#lifetime>));
        }
        visit_mut::visit_path_segment_mut(self, segment);
    }
}

/// Replaces `Self` with `self_type`.
pub(crate) fn without_self(ty: &Type, self_type: &Type) -> Type {
    let mut ty = ty.clone();
    SetSelf(self_type).visit_type_mut(&mut ty);
    ty
}

struct SetSelf<'a>(&'a Type);

impl VisitMut for SetSelf<'_> {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        match ty {
            Type::Path(path) if path.qself.is_none() && path.path.is_ident("Self") => {
                *ty = self.0.clone();
            }
            _ => visit_mut::visit_type_mut(self, ty),
        }
    }
}

/// Returns the function that converts text into a value of this type: `&str` and `Cow<str>` borrow,
/// `Cow<'static, str>` copies, and other types are converted by `FromStr`, or else by `From<&str>`.
///
/// Where the type is known by its bounds alone, the compiler cannot tell which of the two it has, and
/// `FromStr` is required.
pub(crate) fn text_conversion(ty: &Type, is_generic: bool) -> TokenStream {
    let span = located_at(ends(ty).0);
    let via = if borrows(ty) && is_static_cow(ty) {
        quote!(Copied)
    } else if borrows(ty) {
        quote!(Borrowed)
    } else if is_generic {
        quote!(Parsed)
    } else {
        return quote_spanned!(span=> __p::Conversion::<#ty>::convert);
    };
    quote_spanned!(span=> <#ty as __p::FromText<'_, __p::#via>>::from_text)
}

fn borrows(ty: &Type) -> bool {
    match ty {
        Type::Reference(_) => true,
        Type::Group(group) => borrows(&group.elem),
        _ => last_segment(ty).is_some_and(|last| last.ident == "Cow"),
    }
}

/// Whether a value of the type is text, which can be passed as a `&str`: it is written as a `&str`, a
/// `String`, or a `Cow<str>`, `Box<str>`, `Arc<str>` or `Rc<str>`.
pub(crate) fn is_text(ty: &Type) -> bool {
    let is_str = |ty: &Type| last_segment(ty).is_some_and(|last| last.ident == "str");
    match ty {
        Type::Reference(reference) => return is_str(&reference.elem),
        Type::Group(group) => return is_text(&group.elem),
        Type::Paren(paren) => return is_text(&paren.elem),
        _ => {}
    }
    let Some(last) = last_segment(ty) else {
        return false;
    };
    match &last.arguments {
        PathArguments::None => last.ident == "String",
        PathArguments::AngleBracketed(arguments) => {
            let holds = ["Cow", "Box", "Arc", "Rc"]
                .iter()
                .any(|name| last.ident == name);
            let inner = arguments.args.last();
            holds && matches!(inner, Some(GenericArgument::Type(inner)) if is_str(inner))
        }
        PathArguments::Parenthesized(_) => false,
    }
}

fn is_static_cow(ty: &Type) -> bool {
    matches!(
        first_argument(ty),
        Some(GenericArgument::Lifetime(lifetime)) if lifetime.ident == "static"
    )
}

/// Whether the type is written as an `Option`.
pub(crate) fn is_option(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|last| last.ident == "Option")
}

/// Whether the name is that of a primitive type.
pub(crate) fn is_primitive(name: &Ident) -> bool {
    PRIMITIVES.iter().any(|primitive| name == primitive)
}

/// Whether the type is written as a primitive type.
pub(crate) fn is_primitive_type(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => path.path.get_ident().is_some_and(is_primitive),
        Type::Group(group) => is_primitive_type(&group.elem),
        _ => false,
    }
}

/// Returns the `T` of a `Param<T>`.
pub(crate) fn inner_of_param(ty: &Type) -> Option<&Type> {
    match first_argument(ty) {
        Some(GenericArgument::Type(inner)) if last_segment(ty)?.ident == "Param" => Some(inner),
        _ => None,
    }
}

/// Returns where the type within an `Arc` borrows, if it is written so.
pub(crate) fn borrows_within_arc(ty: &Type) -> Option<Span> {
    let Some(GenericArgument::Type(inner)) = first_argument(ty) else {
        return None;
    };
    if last_segment(ty)?.ident != "Arc" {
        return None;
    }
    let mut found = FindBorrow(None);
    found.visit_type_mut(&mut inner.clone());
    found.0
}

struct FindBorrow(Option<Span>);

impl VisitMut for FindBorrow {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident != "static" {
            self.0.get_or_insert(lifetime.ident.span());
        }
    }

    fn visit_type_reference_mut(&mut self, reference: &mut syn::TypeReference) {
        if reference.lifetime.is_none() {
            self.0.get_or_insert(reference.and_token.span);
        }
        visit_mut::visit_type_reference_mut(self, reference);
    }

    // The lifetimes in `fn(&T)` and `Fn(&T)` are bound by those types themselves.
    fn visit_type_fn_ptr_mut(&mut self, _: &mut syn::TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments_mut(
        &mut self,
        _: &mut syn::ParenthesizedGenericArguments,
    ) {
    }
}

/// Types that are mistaken for extractors: those of web frameworks, a gap and references.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Namesake {
    State,
    Extension,
    Path,
    Query,
    Gap,
    Reference,
}

impl Namesake {
    /// Returns which one the type is named like.
    pub(crate) fn of(ty: &Type) -> Option<Self> {
        if let Type::Reference(reference) = ty {
            return match &*reference.elem {
                Type::Slice(_) if reference.mutability.is_none() => None,
                Type::Path(path) if path.path.is_ident("str") && reference.mutability.is_none() => {
                    None
                }
                elem => Self::of(elem)
                    .filter(|name| *name == Self::Gap)
                    .or(Some(Self::Reference)),
            };
        }
        match &*last_segment(ty)?.ident.to_string() {
            "State" => Some(Self::State),
            "Extension" => Some(Self::Extension),
            "Path" => Some(Self::Path),
            "Query" | "Form" => Some(Self::Query),
            "Gap" => Some(Self::Gap),
            _ => None,
        }
    }
}

pub(crate) fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        // A type that a `macro_rules!` macro passes on is a group.
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        _ => None,
    }
}

/// The first argument in the angle brackets of the last path segment.
fn first_argument(ty: &Type) -> Option<&GenericArgument> {
    match &last_segment(ty)?.arguments {
        PathArguments::AngleBracketed(arguments) => arguments.args.first(),
        _ => None,
    }
}

/// Returns where the type contains an `impl Trait`, if it does.
pub(crate) fn impl_trait_span(ty: &Type) -> Option<Span> {
    let mut visitor = FindImplTrait(None);
    visitor.visit_type_mut(&mut ty.clone());
    visitor.0
}

struct FindImplTrait(Option<Span>);

impl VisitMut for FindImplTrait {
    fn visit_type_impl_trait_mut(&mut self, found: &mut syn::TypeImplTrait) {
        self.0.get_or_insert(found.impl_token.span);
    }
}

/// Whether the tokens contain the name.
pub(crate) fn mentions(tokens: TokenStream, name: &Ident) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == *name,
        TokenTree::Group(group) => mentions(group.stream(), name),
        _ => false,
    })
}

/// Formats a type or a path with the spacing of hand-written code. The name of the crate that `$crate`
/// stands for is not known, so it is left out.
pub(crate) fn readable(ty: &impl ToTokens) -> String {
    let mut text = String::new();
    for word in ty.to_token_stream().to_string().split(' ') {
        let open = text.ends_with(['<', '&', ':', '(', '[', '\'']) || text.is_empty();
        let tight = word.starts_with(['<', '>', ',', ':', ')', ']', ';', '(']);
        if !open && !tight {
            text.push(' ');
        }
        text.push_str(word);
    }
    text.replace("$crate::", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(ty: Type) -> String {
        readable(&with_lifetime(&ty, "'p"))
    }

    #[test]
    fn every_lifetime_of_an_argument_becomes_that_of_the_delivery() {
        assert_eq!(replaced(parse_quote!(&str)), "&'p str");
        assert_eq!(replaced(parse_quote!(&'a [u8])), "&'p [u8]");
        assert_eq!(replaced(parse_quote!(Json<Alert<'_>>)), "Json<Alert<'p>>");
        assert_eq!(
            replaced(parse_quote!(Cow<'static, str>)),
            "Cow<'static, str>"
        );
        assert_eq!(
            replaced(parse_quote!(State<fn(&u8) -> &u8>)),
            "State<fn(&u8) -> &u8>"
        );
    }
}
