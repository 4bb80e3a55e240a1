use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Field, Type};

use crate::listen::Listen;
use crate::message::Message;
use crate::serde_attrs;
use crate::spans::{ends, placed};
use crate::wire;

impl Message {
    /// The impls by which a handler takes the message.
    pub(crate) fn expand(&self) -> TokenStream {
        let krate = self.args.krate();
        let (name, generics) = (&self.original.ident, &self.original.generics);
        let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
        let subscription = self.args.listen.as_ref().map(Listen::expand);
        let fields = self.names_on_the_wire();
        let params = generics.params.iter();
        let outlived = self.lifetimes().map(|lifetime| quote!('__p: #lifetime,));
        let conditions = where_clause.iter().flat_map(|clause| &clause.predicates);
        let statics = self.lifetimes().map(|_| quote!('static));
        let on = (!self.params().is_empty()).then(|| quote! {
            static __ON: __p::Subscription = <#name<#(#statics),*> as __p::PushMessage>::SUBSCRIPTION;
        });
        let (wire, body) = self.decode();
        quote! {
            #[allow(single_use_lifetimes)]
            const _: () = {
                use #krate::__private as __p;
                impl #impl_generics __p::PushMessage for #name #ty_generics #where_clause {
                    const SUBSCRIPTION: __p::Subscription = #subscription;
                    const FIELDS: &'static [&'static str] = &[#(#fields),*];
                }
                #on
                #wire
                impl<'__p, #(#params,)* __S> __p::FromPush<'__p, __S> for #name #ty_generics
                where #(#outlived)* #(#conditions),*
                {
                    const MESSAGE: ::core::option::Option<__p::Message> =
                        ::core::option::Option::Some(__p::Message::of::<Self>());
                    fn from_push(__push: __p::Push<'__p>, _: &'__p __S) -> __p::Taken<Self> {
                        #body
                    }
                }
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

    /// The wire type, and the body of `from_push`.
    fn decode(&self) -> (TokenStream, TokenStream) {
        let params = self.params();
        let texts: Vec<_> = (0..params.len())
            .map(|index| format_ident!("__{index}"))
            .collect();
        let captured = (!params.is_empty()).then(|| {
            quote! {
                let [#(#texts),*] = __p::params(__push, &__ON, [#(#params),*])?;
            }
        });
        let made =
            |values: Vec<TokenStream>| quote!(::core::result::Result::Ok(Self { #(#values,)* }));
        let label = self.original.ident.unraw().to_string();
        if wire::has_no_payload(self) {
            let values = self
                .fields()
                .map(|(name, field)| param(&name, field, &params, &texts));
            let made = made(values.flatten().collect());
            return (TokenStream::new(), quote!(#captured #made));
        }
        if params.is_empty() {
            let body = quote!(__p::json(__push, #label, |__json| __Wire::deserialize(__json)));
            return (wire::mirror(self), body);
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
        // The channel comes first: what is not of the template is unmatched, whatever its payload.
        let body = quote! {
            #captured
            let __wire: __Wire #ty_generics =
                __p::json(__push, #label, |__json| __p::Deserialize::deserialize(__json))?;
            #made
        };
        (wire::without_params(self), body)
    }
}

/// A field that a param fills.
fn param(name: &str, field: &Field, params: &[&str], texts: &[Ident]) -> Option<TokenStream> {
    let index = params.iter().position(|param| *param == name)?;
    let (text, ty, ident) = (&texts[index], &field.ty, &field.ident);
    let via = match borrows(ty) {
        true => quote!(Borrowed),
        false => quote!(Parsed),
    };
    let take = quote_spanned!(placed(ends(ty).0)=> __p::param::<#ty, __p::#via>(#name, #text)?);
    Some(quote!(#ident: #take))
}

/// Whether a param's text is borrowed for a field of this type: `&str` and `Cow<str>`.
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
