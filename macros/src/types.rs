//! The types of arguments, rewritten for the places where generated code names them.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::visit_mut::{self, VisitMut};
use syn::{GenericArgument, Lifetime, PathArguments, Type};

/// The type with `name` in the place of every lifetime but `'static`, left-out ones too.
pub(crate) fn with_lifetime(ty: &Type, name: &str) -> Type {
    let mut ty = ty.clone();
    let mut visitor = SetLifetimes(Lifetime::new(name, Span::call_site()));
    visitor.visit_type_mut(&mut ty);
    ty
}

/// The type with `name` in the place of every lifetime, `'static` too.
pub(crate) fn with_every_lifetime(ty: &Type, name: &str) -> Type {
    let mut ty = with_lifetime(ty, name);
    let mut visitor = SetStatic(Lifetime::new(name, Span::call_site()));
    visitor.visit_type_mut(&mut ty);
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

/// The type with another in the place of `Self`.
pub(crate) fn without_self(ty: &Type, itself: &Type) -> Type {
    let mut ty = ty.clone();
    SetSelf(itself.clone()).visit_type_mut(&mut ty);
    ty
}

struct SetSelf(Type);

impl VisitMut for SetSelf {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        match ty {
            Type::Path(path) if path.qself.is_none() && path.path.is_ident("Self") => {
                *ty = self.0.clone();
            }
            _ => visit_mut::visit_type_mut(self, ty),
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

    // Lifetimes in `fn(&T)` and `Fn(&T)` are those types' own.
    fn visit_type_fn_ptr_mut(&mut self, _: &mut syn::TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments_mut(
        &mut self,
        _: &mut syn::ParenthesizedGenericArguments,
    ) {
    }
}

/// How text becomes a value of this type: borrowed, as `&str` and `Cow<str>`, or parsed.
pub(crate) fn via(ty: &Type) -> TokenStream {
    match borrows(ty) {
        // Which it need not be.
        true if is_static(ty) => quote!(Copied),
        true => quote!(Borrowed),
        false => quote!(Parsed),
    }
}

/// Whether a `Cow` says that it borrows from nothing.
fn is_static(ty: &Type) -> bool {
    let Type::Path(path) = ty else {
        return false;
    };
    let last = path.path.segments.last();
    let Some(PathArguments::AngleBracketed(arguments)) = last.map(|last| &last.arguments) else {
        return false;
    };
    let first = arguments.args.first();
    matches!(first, Some(GenericArgument::Lifetime(lifetime)) if lifetime.ident == "static")
}

fn borrows(ty: &Type) -> bool {
    match ty {
        Type::Reference(_) => true,
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == "Cow"),
        Type::Group(group) => borrows(&group.elem),
        _ => false,
    }
}

pub(crate) fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// Where an `impl Trait` is in the type.
pub(crate) fn hidden_type(ty: &Type) -> Option<Span> {
    let mut visitor = FindImpl(None);
    visitor.visit_type_mut(&mut ty.clone());
    visitor.0
}

struct FindImpl(Option<Span>);

impl VisitMut for FindImpl {
    fn visit_type_impl_trait_mut(&mut self, hidden: &mut syn::TypeImplTrait) {
        self.0.get_or_insert(hidden.impl_token.span);
    }
}

/// A type or a path as a person writes it.
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
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    fn replaced(ty: Type) -> String {
        readable(&with_lifetime(&ty, "'p"))
    }

    #[test]
    fn every_lifetime_of_an_argument_becomes_the_delivery_s() {
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
