//! Receiving a message: the impl of `FromPush`.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Field, Member};

use super::super::glue::conversion_trait;
use super::bounds::decode_bounds;
use super::mirror;
use super::model::Message;
use crate::ast::generics::{impl_params, predicates};
use crate::ast::types::text_conversion;
use crate::attr::Codec;
use crate::spans::{ends, located_at};

/// Returns the impl by which a handler takes the message as an argument.
pub(super) fn impls(message: &Message) -> TokenStream {
    let (name, generics) = (&message.original.ident, &message.original.generics);
    let (_, ty_generics, _) = generics.split_for_impl();
    let params = impl_params(generics);
    let outlived = message.lifetimes().map(|lifetime| quote!('__p: #lifetime,));
    let predicates = predicates(generics);
    let bounds = decode_bounds(message);
    let (mirror, body) = from_push(message);
    let conversion = message.reads_text().then(conversion_trait);
    quote! {
        #conversion
        #mirror
        impl<'__p, #(#params,)* __S> __p::FromPush<'__p, __S> for #name #ty_generics
        where #(#outlived)* #(#predicates,)* #(#bounds),*
        {
            const MESSAGE: ::core::option::Option<__p::MessageDescriptor> =
                ::core::option::Option::Some(__p::MessageDescriptor::of::<Self>());
            fn from_push(__push: __p::Push<'__p>, _: &'__p __S) -> __p::Taken<Self> {
                #body
            }
        }
    }
}

/// Returns the types that the payload is read by, and the body of `from_push`.
fn from_push(message: &Message) -> (TokenStream, TokenStream) {
    if message.has_no_payload() {
        let body = construct(message, None, channel_values(message));
        return (TokenStream::new(), body);
    }
    let codec = message.args.codec.as_ref();
    if let Some(codec) = codec
        && codec.single_field().is_some()
    {
        return (TokenStream::new(), single_field(message, codec));
    }
    let codec = codec.and_then(Codec::path);
    if message.params().is_empty() {
        whole_payload(message, codec)
    } else {
        payload_and_params(message, codec)
    }
}

/// Reads a payload that is the value of one field, or an enum that is parsed as a whole.
fn single_field(message: &Message, codec: &Codec) -> TokenStream {
    let label = message.label();
    let Some((member, field)) = message.payload_field() else {
        let place = format!("`{label}`");
        return quote! {
            __p::text(
                <Self as __p::FromText<'_, __p::Parsed>>::from_text(__p::payload_text(__push, #place)?),
                #place,
            )
        };
    };
    let (ty, span) = (&field.ty, located_at(ends(&field.ty).0));
    let value = if matches!(codec, Codec::Bytes(_)) {
        quote_spanned!(span=> __p::bytes::<#ty>(__push)?)
    } else {
        let convert = text_conversion(ty, message.is_generic(ty));
        let name = match &member {
            Member::Named(name) => name.unraw().to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        };
        let place = format!("the field `{name}` of `{label}`");
        let text = quote!((__p::payload_text(__push, #place)?));
        quote_spanned!(span=> __p::text(#convert #text, #place)?)
    };
    let mut values = channel_values(message);
    values.push(quote!(#member: #value));
    construct(message, None, values)
}

/// Reads a payload that holds all fields: the mirror builds the user's type itself.
fn whole_payload(message: &Message, codec: Option<TokenStream>) -> (TokenStream, TokenStream) {
    let label = message.label();
    let mirror = mirror::whole_type(message);
    if let Some(read) = traced(message) {
        let body = quote!(#read(__push, #label, |__from| __Wire::deserialize(__from)));
        return (mirror, body);
    }
    match codec {
        Some(codec) => {
            let wrapper = mirror::deserialize_wrapper(message);
            let body = quote! {
                __p::coded::<#codec, __Whole<_>>(__push, #label).map(|__whole| __whole.0)
            };
            (quote!(#mirror #wrapper), body)
        }
        None => {
            let body = quote!(__p::json(__push, #label, |__json| __Wire::deserialize(__json)));
            (mirror, body)
        }
    }
}

/// Reads a payload that holds some of the fields; params fill the others.
fn payload_and_params(message: &Message, codec: Option<TokenStream>) -> (TokenStream, TokenStream) {
    let label = message.label();
    let (_, ty_generics, _) = message.original.generics.split_for_impl();
    let payload = match (traced(message), codec) {
        (Some(read), _) => {
            quote!(#read(__push, #label, |__from| __p::Deserialize::deserialize(__from))?)
        }
        (None, Some(codec)) => quote!(__p::coded::<#codec, _>(__push, #label)?),
        (None, None) => {
            quote!(__p::json(__push, #label, |__json| __p::Deserialize::deserialize(__json))?)
        }
    };
    let read = quote!(let __wire: __Wire #ty_generics = #payload;);
    let values = message.fields().map(|(name, field)| {
        channel_value(message, &name, field).unwrap_or_else(|| {
            let ident = &field.ident;
            quote!(#ident: __wire.#ident)
        })
    });
    let body = construct(message, Some(read), values.collect());
    (mirror::payload_struct(message), body)
}

/// Returns the function that reads a payload which may carry a trace context.
fn traced(message: &Message) -> Option<TokenStream> {
    message.args.trace.as_ref()?;
    Some(match message.args.codec {
        Some(Codec::MsgPack(_)) => quote!(__p::traced_msgpack),
        _ => quote!(__p::traced_json),
    })
}

/// Returns the statements that capture the params, `read` the payload and construct the message.
///
/// The channel comes first: if it does not match the template, the push is unmatched, whatever its
/// payload.
fn construct(
    message: &Message,
    read: Option<TokenStream>,
    values: Vec<TokenStream>,
) -> TokenStream {
    let params = message.params();
    let captured = (!params.is_empty()).then(|| {
        let texts = (0..params.len()).map(captured_text);
        quote! {
            let [#(#texts),*] = __p::params(
                __push,
                <Self as __p::PushMessage>::SUBSCRIPTIONS,
                [#(#params),*],
            )?;
        }
    });
    quote!(#captured #read ::core::result::Result::Ok(Self { #(#values,)* }))
}

/// Returns the fields that params fill, with their values.
fn channel_values(message: &Message) -> Vec<TokenStream> {
    message
        .fields()
        .filter_map(|(name, field)| channel_value(message, &name, field))
        .collect()
}

fn channel_value(message: &Message, name: &str, field: &Field) -> Option<TokenStream> {
    let index = message.params().iter().position(|param| *param == name)?;
    let (text, ident) = (captured_text(index), &field.ident);
    let ty = &field.ty;
    let convert = text_conversion(ty, message.is_generic(ty));
    let span = located_at(ends(ty).0);
    let value = quote_spanned!(span=> __p::param(#name, #convert(#text))?);
    Some(quote!(#ident: #value))
}

/// The variable with the text of the param at this index.
fn captured_text(index: usize) -> Ident {
    format_ident!("__{index}")
}
