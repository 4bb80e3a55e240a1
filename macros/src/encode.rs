use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Data, Field, Type};

use crate::codec::Codec;
use crate::listen::Target;
use crate::message::Message;
use crate::serde_attrs::writes_by_serde;
use crate::types::with_every_lifetime;
use crate::wire;

impl Message {
    /// The impls by which the message is published, and the functions that name its channel.
    pub(crate) fn encode(&self) -> TokenStream {
        let names = self.names();
        if self.args.receive_only {
            return names;
        }
        let (name, generics) = (&self.original.ident, &self.original.generics);
        let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
        let conditions = where_clause.iter().flat_map(|clause| &clause.predicates);
        let mut written = self.encode_bounds();
        // What is no codec is told where it reads.
        if let Some(Codec::Own(codec)) = &self.args.codec {
            written.push(quote!(for<'__x> #codec: __p::Codec));
        }
        let (wire, body) = self.write();
        let publishable = self.publishable();
        quote! {
            #names
            #wire
            impl #impl_generics __p::ToPayload for #name #ty_generics
            where #(#conditions,)* #(#written),*
            {
                fn to_payload(&self) -> __p::Written<__p::Cow<'_, [u8]>> {
                    #body
                }
            }
            #publishable
        }
    }

    /// What must hold of the fields that are written. `for<'__x>` lets it be asked only where
    /// something is published: a message that is only received need not be writable.
    pub(crate) fn encode_bounds(&self) -> Vec<TokenStream> {
        let bound = |ty: &Type, bound: TokenStream| {
            let ty = with_every_lifetime(ty, "'__x");
            quote!(for<'__x> #ty: #bound)
        };
        match (&self.args.codec, self.payload_field()) {
            _ if wire::has_no_payload(self) => Vec::new(),
            (Some(Codec::Text(_)), Some((_, field))) => {
                vec![bound(&field.ty, quote!(::core::fmt::Display))]
            }
            (Some(Codec::Text(_)), None) => {
                vec![quote!(for<'__x> Self: ::core::fmt::Display)]
            }
            (Some(Codec::Bytes(_)), Some((_, field))) => {
                vec![bound(&field.ty, quote!(::core::convert::AsRef<[u8]>))]
            }
            _ => {
                let params = self.params();
                let is_param = |field: &Field| {
                    let name = field.ident.as_ref().map(|name| name.unraw().to_string());
                    name.is_some_and(|name| params.contains(&&*name))
                };
                let fields = self.written_fields().filter(|field| !is_param(field));
                distinct(fields.map(|field| bound(&field.ty, quote!(__p::Serialize))))
            }
        }
    }

    /// The fields that are written by the `Serialize` of their types.
    fn written_fields(&self) -> impl Iterator<Item = &Field> {
        let fields: Vec<_> = match &self.original.data {
            Data::Struct(data) => data.fields.iter().collect(),
            Data::Enum(data) => {
                let variants = data.variants.iter();
                let variants = variants.filter(|variant| writes_by_serde(&variant.attrs));
                variants.flat_map(|variant| &variant.fields).collect()
            }
            Data::Union(_) => Vec::new(),
        };
        let fields = fields.into_iter();
        fields.filter(|field| writes_by_serde(&field.attrs))
    }

    /// The types that write it, and the body of `to_payload`.
    fn write(&self) -> (TokenStream, TokenStream) {
        let label = self.original.ident.unraw().to_string();
        if wire::has_no_payload(self) {
            let nothing = quote!(::core::result::Result::Ok(__p::Cow::Borrowed(&[])));
            return (TokenStream::new(), nothing);
        }
        let value = match self.payload_field() {
            Some((member, _)) => quote!(&self.#member),
            None => quote!(self),
        };
        let codec = match &self.args.codec {
            Some(Codec::Text(_)) => {
                return (TokenStream::new(), quote!(__p::to_text(#value)));
            }
            Some(Codec::Bytes(_)) => {
                return (TokenStream::new(), quote!(__p::to_bytes(#value)));
            }
            other => other.as_ref().and_then(Codec::path),
        };
        // Without params the type that reads it writes it as well.
        let (mirror, name) = match self.params().is_empty() {
            true => (TokenStream::new(), quote!(__Wire)),
            false => (wire::written(self), quote!(__Out)),
        };
        match codec {
            None => {
                let write = quote!(|__json| #name::serialize(self, __json));
                (mirror, quote!(__p::to_json(#label, #write)))
            }
            Some(codec) => {
                let by_ref = wire::by_ref(self, &name);
                let body = quote!(__p::to_coded::<#codec>(#label, &__Written(self)));
                (quote!(#mirror #by_ref), body)
            }
        }
    }

    /// What names its channel. A pattern names none.
    fn publishable(&self) -> Option<TokenStream> {
        let first = self.args.listen.first()?;
        if matches!(first.target, Target::Pattern) {
            return None;
        }
        let label = self.original.ident.unraw().to_string();
        let (name, generics) = (&self.original.ident, &self.original.generics);
        let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
        let conditions = where_clause.iter().flat_map(|clause| &clause.predicates);
        let params = self.params();
        let fields = self.fields().filter(|(name, _)| params.contains(&&**name));
        let fields: Vec<_> = fields.collect();
        let values = fields.iter().map(|(name, field)| {
            let ident = &field.ident;
            quote!((#name, &self.#ident))
        });
        let bounds = distinct(fields.iter().map(|(_, field)| {
            let ty = with_every_lifetime(&field.ty, "'__x");
            quote!(for<'__x> #ty: ::core::fmt::Display)
        }));
        Some(quote! {
            impl #impl_generics __p::Publishable for #name #ty_generics
            where
                #(#conditions,)*
                for<'__x> Self: __p::ToPayload,
                #(#bounds),*
            {
                fn to_channel(&self) -> __p::Written<::std::string::String> {
                    __p::channel(<Self as __p::PushMessage>::SUBSCRIPTIONS, #label, &[#(#values),*])
                }
            }
        })
    }

    /// The function of the type that names a channel by its params.
    fn names(&self) -> TokenStream {
        let Some(first) = self.args.listen.first() else {
            return TokenStream::new();
        };
        let (name, generics, vis) = (
            &self.original.ident,
            &self.original.generics,
            &self.original.vis,
        );
        let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
        let text = first.text();
        let label = self.original.ident.unraw().to_string();
        let params = self.params();
        if !matches!(first.target, Target::Template(_)) {
            return TokenStream::new();
        }
        let channel_for = {
            // In the order of the template.
            let field_of = |param: &&str| self.fields().find(|(name, _)| name == param);
            let fields: Vec<_> = params
                .iter()
                .filter_map(field_of)
                .map(|(name, field)| (name, &field.ident))
                .collect();
            let idents = fields.iter().map(|(_, ident)| ident);
            let values = fields.iter().map(|(name, ident)| quote!((#name, &#ident)));
            let doc = format!("The name of the channel `{text}` with these params.");
            quote! {
                #[doc = #doc]
                ///
                /// # Errors
                ///
                /// When a param could not be read back from the name.
                #[allow(dead_code)]
                #vis fn channel_for(
                    #(#idents: impl ::core::fmt::Display),*
                ) -> __p::Written<::std::string::String> {
                    __p::channel(<Self as __p::PushMessage>::SUBSCRIPTIONS, #label, &[#(#values),*])
                }
            }
        };
        quote! {
            impl #impl_generics #name #ty_generics #where_clause {
                #channel_for
            }
        }
    }
}

/// The bounds without repetitions: of two that are the same the compiler would not choose one.
fn distinct(bounds: impl Iterator<Item = TokenStream>) -> Vec<TokenStream> {
    let mut seen = HashSet::new();
    bounds
        .filter(|bound| seen.insert(bound.to_string()))
        .collect()
}
