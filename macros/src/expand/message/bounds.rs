//! What the impls of a message require of the types of its fields.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, Field, Type};

use super::model::{Message, name};
use crate::ast::types::{text_conversion, with_every_lifetime};
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
        .map(|(_, field)| from_text(field))
        .collect();
    match (&message.args.codec, message.payload_field()) {
        (Some(Codec::Text(_)), Some((_, field))) => bounds.push(from_text(field)),
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
        _ => distinct(
            serialized_fields(message)
                .into_iter()
                .filter(|field| !name(field).is_some_and(|name| message.is_param(&name)))
                .map(|field| where_used(&field.ty, quote!(__p::Serialize))),
        ),
    }
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
fn where_used(ty: &Type, bound: TokenStream) -> TokenStream {
    let ty = with_every_lifetime(ty, "'__x");
    quote!(for<'__x> #ty: #bound)
}

fn from_text(field: &Field) -> TokenStream {
    let (ty, via) = (&field.ty, text_conversion(&field.ty));
    quote!(#ty: __p::FromText<'__p, __p::#via>)
}

/// The fields that are written by the `Serialize` impls of their types.
fn serialized_fields(message: &Message) -> Vec<&Field> {
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
    fields
        .into_iter()
        .filter(|field| uses_serialize(&field.attrs))
        .collect()
}

/// Removes repeated bounds, which the compiler reports as ambiguous.
fn distinct(bounds: impl Iterator<Item = TokenStream>) -> Vec<TokenStream> {
    let mut seen = HashSet::new();
    bounds
        .filter(|bound| seen.insert(bound.to_string()))
        .collect()
}
