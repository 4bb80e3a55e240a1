use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Field, Type};

use crate::codec::Codec;
use crate::listen::Target;
use crate::message::{Message, all_fields};
use crate::serde_attrs::writes_by_serde;
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
        let bound = |ty: &Type, bound: TokenStream| quote!(for<'__x> #ty: #bound);
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
                let mut types: Vec<(String, &Type)> = Vec::new();
                for field in all_fields(&self.original.data) {
                    let text = field.ty.to_token_stream().to_string();
                    let is_new = types.iter().all(|(other, _)| *other != text);
                    if is_new && !is_param(field) && writes_by_serde(&field.attrs) {
                        types.push((text, &field.ty));
                    }
                }
                let types = types.into_iter();
                types
                    .map(|(_, ty)| bound(ty, quote!(__p::Serialize)))
                    .collect()
            }
        }
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
        let (values, types): (Vec<_>, Vec<_>) = fields
            .map(|(name, field)| {
                let ident = &field.ident;
                (quote!((#name, &self.#ident)), &field.ty)
            })
            .unzip();
        Some(quote! {
            impl #impl_generics __p::Publishable for #name #ty_generics
            where
                #(#conditions,)*
                for<'__x> Self: __p::ToPayload,
                #(for<'__x> #types: ::core::fmt::Display),*
            {
                fn to_channel(&self) -> __p::Written<::std::string::String> {
                    __p::channel(<Self as __p::PushMessage>::SUBSCRIPTIONS, #label, &[#(#values),*])
                }
            }
        })
    }

    /// The functions of the type that name its channel.
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
        let is_template = matches!(first.target, Target::Template(_));
        let channel_for = is_template.then(|| {
            let fields: Vec<_> = self
                .fields()
                .filter(|(name, _)| params.contains(&&**name))
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
        });
        quote! {
            impl #impl_generics #name #ty_generics #where_clause {
                /// Where it is published, as its attribute says it.
                #[allow(dead_code)]
                #[must_use]
                #vis const fn template() -> &'static str {
                    #text
                }
                #channel_for
            }
        }
    }
}
