//! What the impls of a message require of the types of its fields.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{Data, Field, GenericParam, Type};

use super::model::{Message, name};
use crate::ast::generics::{impl_params, predicates};
use crate::ast::types::{mentions, with_every_lifetime};
use crate::attr::Codec;
use crate::attr::serde::uses_serialize;

/// Returns what must hold for the message to be read. Only a type with type parameters needs
/// bounds.
pub(super) fn decode_bounds(message: &Message) -> Vec<TokenStream> {
    if message.type_params().next().is_none() {
        return Vec::new();
    }
    let mut bounds: Vec<_> = message
        .param_fields()
        .filter_map(|(_, field)| from_text(message, field))
        .collect();
    match (&message.args.codec, message.payload_field()) {
        (Some(Codec::Text(_)), Some((_, field))) => bounds.extend(from_text(message, field)),
        (Some(Codec::Bytes(_)), Some((_, field))) => {
            let ty = &field.ty;
            bounds.push(quote!(#ty: __p::FromBytes<'__p>));
        }
        _ => bounds.extend(deserialize_bounds(message)),
    }
    bounds
}

/// Returns the bound `Deserialize` for each type parameter.
pub(super) fn deserialize_bounds(message: &Message) -> impl Iterator<Item = TokenStream> {
    message
        .type_params()
        .map(|name| quote!(#name: __p::Deserialize<'__p>))
}

/// Returns what must hold for the payload to be written.
pub(super) fn encode_bounds(message: &Message) -> Vec<TokenStream> {
    if message.has_no_payload() {
        return Vec::new();
    }
    match (&message.args.codec, message.payload_field()) {
        (Some(Codec::Text(_)), Some((_, field))) => {
            vec![where_used(&field.ty, quote!(::core::fmt::Display))]
        }
        (Some(Codec::Text(_)), None) => {
            vec![quote!(for<'__x> Self: ::core::fmt::Display)]
        }
        (Some(Codec::Bytes(_)), Some((_, field))) => {
            vec![where_used(&field.ty, quote!(::core::convert::AsRef<[u8]>))]
        }
        _ => serialized_types(message)
            .iter()
            .map(|ty| where_used(ty, quote!(__p::Serialize)))
            .collect(),
    }
}

/// Returns the bounds of [`encode_bounds`] as serde takes them: in a string, and type aliases for the
/// string to name.
///
/// The types of the user cannot be in a string: `$crate` would lose its meaning there.
pub(super) fn serde_encode_bounds(message: &Message) -> (TokenStream, String) {
    let mut aliases = TokenStream::new();
    let mut bounds = Vec::new();
    for (index, ty) in serialized_types(message).into_iter().enumerate() {
        let name = format_ident!("__Field{index}");
        let params: Vec<_> = message
            .type_params()
            .filter(|param| mentions(ty.to_token_stream(), param))
            .collect();
        let mut arguments = vec![String::from("'__x")];
        if params.is_empty() {
            let ty = with_every_lifetime(ty, "'__x");
            aliases.extend(quote!(type #name<'__x> = #ty;));
        } else {
            aliases.extend(generic_alias(message, &name, ty, &params));
            arguments.extend(message.lifetimes().map(|_| String::from("'__x")));
            arguments.extend(params.iter().map(ToString::to_string));
        }
        let arguments = arguments.join(", ");
        bounds.push(format!("for<'__x> {name}<{arguments}>: __p::Serialize"));
    }
    (aliases, bounds.join(", "))
}

/// Returns a type alias with these type parameters. It repeats their bounds, because the type may name
/// an associated type of one.
fn generic_alias(message: &Message, name: &Ident, ty: &Type, params: &[&Ident]) -> TokenStream {
    let generics = &message.original.generics;
    let ty = with_every_lifetime(ty, "'__x");
    let is_declared = |tokens: TokenStream| {
        let mut others = message
            .type_params()
            .filter(|param| !params.contains(param));
        !others.any(|param| mentions(tokens.clone(), param))
    };
    let predicates = predicates(generics).filter(|bound| is_declared(bound.to_token_stream()));
    let declared = impl_params(generics).filter_map(|mut param| {
        if let GenericParam::Type(param) = &mut param {
            if !params.contains(&&param.ident) {
                return None;
            }
            if !is_declared(param.bounds.to_token_stream()) {
                param.bounds.clear();
            }
        }
        Some(param)
    });
    quote!(type #name<'__x, #(#declared),*> where #(#predicates),* = #ty;)
}

/// Returns what must hold for the channel to be named: each param is displayed.
pub(super) fn channel_bounds(message: &Message) -> Vec<TokenStream> {
    distinct(
        message
            .param_fields()
            .map(|(_, field)| where_used(&field.ty, quote!(::core::fmt::Display))),
    )
}

/// Returns a bound that the compiler checks only where the impl is used.
///
/// It would refuse a plain `Ty: Serialize` that does not hold at once, although the user may never
/// publish the message. `for<'__x>` defers that check.
pub(super) fn where_used(ty: &Type, bound: TokenStream) -> TokenStream {
    let ty = with_every_lifetime(ty, "'__x");
    quote!(for<'__x> #ty: #bound)
}

/// Returns the bound of a type that is known by its bounds alone; others need none.
fn from_text(message: &Message, field: &Field) -> Option<TokenStream> {
    let ty = &field.ty;
    message
        .is_generic(ty)
        .then(|| quote!(#ty: __p::FromText<'__p, __p::Parsed>))
}

/// Returns the types of the payload's fields that are written by their `Serialize` impls, each once.
fn serialized_types(message: &Message) -> Vec<&Type> {
    let fields: Vec<_> = match &message.original.data {
        Data::Struct(data) => data.fields.iter().collect(),
        Data::Enum(data) => data
            .variants
            .iter()
            .filter(|variant| uses_serialize(&variant.attrs))
            .flat_map(|variant| &variant.fields)
            .collect(),
        Data::Union(_) => Vec::new(),
    };
    let mut seen = HashSet::new();
    fields
        .into_iter()
        .filter(|field| uses_serialize(&field.attrs))
        .filter(|field| !name(field).is_some_and(|name| message.is_param(&name)))
        .map(|field| &field.ty)
        // The compiler reports a bound that is repeated as ambiguous.
        .filter(|ty| {
            let ty = with_every_lifetime(ty, "'__x");
            seen.insert(ty.to_token_stream().to_string())
        })
        .collect()
}

/// Removes repeated bounds, which the compiler reports as ambiguous.
fn distinct(bounds: impl Iterator<Item = TokenStream>) -> Vec<TokenStream> {
    let mut seen = HashSet::new();
    bounds
        .filter(|bound| seen.insert(bound.to_string()))
        .collect()
}
