use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Field, GenericParam, Index, Member};

use crate::codec::Codec;
use crate::listen::Listen;
use crate::message::Message;
use crate::serde_attrs;
use crate::spans::{ends, placed};
use crate::types::via;
use crate::wire;

impl Message {
    /// The impls by which a handler takes the message, and a publisher writes it.
    pub(crate) fn expand(&self) -> TokenStream {
        let krate = self.args.krate();
        let (name, generics) = (&self.original.ident, &self.original.generics);
        let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
        let subscriptions = self.args.listen.iter().map(Listen::expand);
        let fields = self.names_on_the_wire();
        let codec = self.args.codec.as_ref().map(|codec| {
            let label = codec.label();
            quote!(const CODEC: &'static str = #label;)
        });
        let params = generics.params.iter().map(without_default);
        let outlived = self.lifetimes().map(|lifetime| quote!('__p: #lifetime,));
        let conditions = where_clause.iter().flat_map(|clause| &clause.predicates);
        let decodes = self.decode_bounds();
        let (wire, body) = self.decode();
        let encode = self.encode();
        quote! {
            #[allow(deprecated, nonstandard_style, single_use_lifetimes)]
            const _: () = {
                use #krate::__private as __p;
                impl #impl_generics __p::PushMessage for #name #ty_generics #where_clause {
                    const SUBSCRIPTIONS: &'static [__p::Subscription] = &[#(#subscriptions),*];
                    const FIELDS: &'static [&'static str] = &[#(#fields),*];
                    #codec
                }
                #wire
                impl<'__p, #(#params,)* __S> __p::FromPush<'__p, __S> for #name #ty_generics
                where #(#outlived)* #(#conditions,)* #(#decodes),*
                {
                    const MESSAGE: ::core::option::Option<__p::Message> =
                        ::core::option::Option::Some(__p::Message::of::<Self>());
                    fn from_push(__push: __p::Push<'__p>, _: &'__p __S) -> __p::Taken<Self> {
                        #body
                    }
                }
                #encode
            };
        }
    }

    /// The params, and the fields by the names they have in the payload; nothing where serde gives
    /// them others than are written here.
    fn names_on_the_wire(&self) -> Vec<String> {
        let params = self.params();
        if self.container.renames_fields() {
            return Vec::new();
        }
        let named = |(name, field): (String, &Field)| match params.contains(&&*name) {
            true => Some(name),
            false => serde_attrs::name_on_the_wire(&field.attrs, name),
        };
        let names: Option<Vec<_>> = self.fields().map(named).collect();
        names.unwrap_or_default()
    }

    /// What must hold of the type's own type parameters.
    fn decode_bounds(&self) -> Vec<TokenStream> {
        let generics = &self.original.generics;
        if generics.type_params().next().is_none() {
            return Vec::new();
        }
        let params = self.params();
        let parsed = self.fields().filter(|(name, _)| params.contains(&&**name));
        let mut bounds: Vec<_> = parsed.map(|(_, field)| parses(field)).collect();
        match (&self.args.codec, self.payload_field()) {
            (Some(Codec::Text(_)), Some((_, field))) => bounds.push(parses(field)),
            (Some(Codec::Bytes(_)), Some((_, field))) => {
                let ty = &field.ty;
                bounds.push(quote!(#ty: __p::FromBytes<'__p>));
            }
            _ => bounds.extend(generics.type_params().map(|param| {
                let name = &param.ident;
                quote!(#name: __p::Deserialize<'__p>)
            })),
        }
        bounds
    }

    /// The wire type, and the body of `from_push`.
    fn decode(&self) -> (TokenStream, TokenStream) {
        let params = self.params();
        let texts: Vec<_> = (0..params.len())
            .map(|index| format_ident!("__{index}"))
            .collect();
        // The channel comes first: what is not of the template is unmatched, whatever its payload.
        let captured = (!params.is_empty()).then(|| {
            quote! {
                let [#(#texts),*] = __p::params(
                    __push,
                    <Self as __p::PushMessage>::SUBSCRIPTIONS,
                    [#(#params),*],
                )?;
            }
        });
        let made =
            |values: Vec<TokenStream>| quote!(::core::result::Result::Ok(Self { #(#values,)* }));
        let label = self.original.ident.unraw().to_string();
        let from_channel = |(name, field): (String, _)| param(&name, field, &params, &texts);
        if wire::has_no_payload(self) {
            let made = made(self.fields().filter_map(from_channel).collect());
            return (TokenStream::new(), quote!(#captured #made));
        }
        if let Some(codec) = &self.args.codec
            && codec.of_one_field().is_some()
        {
            let mut values: Vec<_> = self.fields().filter_map(from_channel).collect();
            let Some((member, field)) = self.payload_field() else {
                let body = quote!(__p::text::<Self, __p::Parsed>(__push, #label));
                return (TokenStream::new(), body);
            };
            let (ty, span) = (&field.ty, placed(ends(&field.ty).0));
            let value = match codec {
                Codec::Bytes(_) => quote_spanned!(span=> __p::bytes::<#ty>(__push)?),
                _ => {
                    let via = via(ty);
                    quote_spanned!(span=> __p::text::<#ty, __p::#via>(__push, #label)?)
                }
            };
            values.push(quote!(#member: #value));
            let made = made(values);
            return (TokenStream::new(), quote!(#captured #made));
        }
        let own_codec = self.args.codec.as_ref().and_then(Codec::path);
        if params.is_empty() {
            let mirror = wire::mirror(self);
            return match own_codec {
                Some(codec) => {
                    let whole = wire::whole(self);
                    let body = quote!(__p::coded::<#codec, __Whole<_>>(__push, #label).map(|__whole| __whole.0));
                    (quote!(#mirror #whole), body)
                }
                None => {
                    let body =
                        quote!(__p::json(__push, #label, |__json| __Wire::deserialize(__json)));
                    (mirror, body)
                }
            };
        }
        let (_, ty_generics, _) = self.original.generics.split_for_impl();
        let values = self.fields().map(|(name, field)| {
            let from_payload = || {
                let name = &field.ident;
                quote!(#name: __wire.#name)
            };
            param(&name, field, &params, &texts).unwrap_or_else(from_payload)
        });
        let made = made(values.collect());
        let read = match own_codec {
            Some(codec) => quote!(__p::coded::<#codec, _>(__push, #label)?),
            None => {
                quote!(__p::json(__push, #label, |__json| __p::Deserialize::deserialize(__json))?)
            }
        };
        let body = quote! {
            #captured
            let __wire: __Wire #ty_generics = #read;
            #made
        };
        (wire::without_params(self), body)
    }

    /// The one field that is not in the channel's name, of a struct that has one.
    pub(crate) fn payload_field(&self) -> Option<(Member, &Field)> {
        let params = self.params();
        let mut fields = self.struct_fields()?.iter().enumerate();
        fields.find_map(|(index, field)| {
            let member = match &field.ident {
                Some(name) if params.contains(&&*name.unraw().to_string()) => return None,
                Some(name) => Member::Named(name.clone()),
                None => Member::Unnamed(Index::from(index)),
            };
            Some((member, field))
        })
    }
}

/// A generic parameter as it stands in an impl.
pub(crate) fn without_default(param: &GenericParam) -> GenericParam {
    let mut param = param.clone();
    match &mut param {
        GenericParam::Type(param) => {
            param.default = None;
        }
        GenericParam::Const(param) => {
            param.default = None;
        }
        GenericParam::Lifetime(_) => {}
    }
    param
}

fn parses(field: &Field) -> TokenStream {
    let (ty, via) = (&field.ty, via(&field.ty));
    quote!(#ty: __p::FromText<'__p, __p::#via>)
}

/// A field that a param fills.
fn param(name: &str, field: &Field, params: &[&str], texts: &[Ident]) -> Option<TokenStream> {
    let index = params.iter().position(|param| *param == name)?;
    let (text, ty, ident) = (&texts[index], &field.ty, &field.ident);
    let via = via(ty);
    let take = quote_spanned!(placed(ends(ty).0)=> __p::param::<#ty, __p::#via>(#name, #text)?);
    Some(quote!(#ident: #take))
}
