//! Publishing a message: the impls of `ToPayload` and `Publishable`.

use proc_macro2::TokenStream;
use quote::quote;

use super::bounds::{channel_bounds, encode_bounds};
use super::mirror;
use super::model::Message;
use crate::ast::generics::predicates;
use crate::attr::Codec;

/// Returns the impls by which the message is published; none if it is only received.
pub(super) fn impls(message: &Message) -> TokenStream {
    if message.args.receive_only {
        return TokenStream::new();
    }
    let (name, generics) = (&message.original.ident, &message.original.generics);
    let (impl_generics, ty_generics, _) = generics.split_for_impl();
    let predicates = predicates(generics);
    let mut bounds = encode_bounds(message);
    // A type that is not a codec is reported where the payload is read, not here as well.
    if let Some(Codec::Custom(codec)) = &message.args.codec {
        bounds.push(quote!(for<'__x> #codec: __p::Codec));
    }
    let (mirror, body) = to_payload(message);
    let publishable = publishable(message);
    let carrier = message.args.trace.as_ref().map(|_| {
        let carrier = match message.args.codec {
            Some(Codec::MsgPack(_)) => quote!(MsgPack),
            _ => quote!(Json),
        };
        quote! {
            fn trace_carrier(&self) -> ::core::option::Option<__p::Carrier> {
                ::core::option::Option::Some(__p::Carrier::#carrier)
            }
        }
    });
    quote! {
        #mirror
        impl #impl_generics __p::ToPayload for #name #ty_generics
        where #(#predicates,)* #(#bounds),*
        {
            fn to_payload(&self) -> __p::Written<__p::Cow<'_, [u8]>> {
                #body
            }
            #carrier
        }
        #publishable
    }
}

/// Returns the types that write the payload, and the body of `to_payload`.
fn to_payload(message: &Message) -> (TokenStream, TokenStream) {
    let label = message.label();
    if message.has_no_payload() {
        let body = quote!(::core::result::Result::Ok(__p::Cow::Borrowed(&[])));
        return (TokenStream::new(), body);
    }
    let value = match message.payload_field() {
        Some((member, _)) => quote!(&self.#member),
        None => quote!(self),
    };
    let codec = match &message.args.codec {
        Some(Codec::Text(_)) => {
            return (TokenStream::new(), quote!(__p::to_text(#value)));
        }
        Some(Codec::Bytes(_)) => {
            return (TokenStream::new(), quote!(__p::to_bytes(#value)));
        }
        other => other.as_ref().and_then(Codec::path),
    };
    let (mirror, name) = if message.params().is_empty() {
        // The mirror that reads the whole type writes it too.
        (TokenStream::new(), quote!(__Wire))
    } else {
        (mirror::output_struct(message), quote!(__Out))
    };
    match codec {
        None => {
            let write = quote!(|__json| #name::serialize(self, __json));
            (mirror, quote!(__p::to_json(#label, #write)))
        }
        Some(codec) => {
            let wrapper = mirror::serialize_wrapper(message, &name);
            let body = quote!(__p::to_coded::<#codec>(#label, &__Written(self)));
            (quote!(#mirror #wrapper), body)
        }
    }
}

/// Returns the impl that names the channel of a value. A pattern names no channel.
fn publishable(message: &Message) -> Option<TokenStream> {
    let first = message.args.listen.first()?;
    if first.key == "pattern" {
        return None;
    }
    let label = message.label();
    let (name, generics) = (&message.original.ident, &message.original.generics);
    let (impl_generics, ty_generics, _) = generics.split_for_impl();
    let predicates = predicates(generics);
    let values = message.param_fields().map(|(name, field)| {
        let ident = &field.ident;
        quote!((#name, &self.#ident))
    });
    let bounds = channel_bounds(message);
    Some(quote! {
        impl #impl_generics __p::Publishable for #name #ty_generics
        where
            #(#predicates,)*
            for<'__x> Self: __p::ToPayload,
            #(#bounds),*
        {
            fn to_channel(&self) -> __p::Written<::std::string::String> {
                __p::channel(<Self as __p::PushMessage>::SUBSCRIPTIONS, #label, &[#(#values),*])
            }
        }
    })
}
