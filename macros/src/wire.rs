//! The types that serde reads a message by: the user's type needs no `Deserialize` of its own.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Data, Field, Fields};

use crate::decode::without_default;
use crate::message::Message;
use crate::serde_attrs::{Missing, carried};

/// Whether nothing of the message is in the payload, so that the payload is not read.
pub(crate) fn has_no_payload(message: &Message) -> bool {
    let params = message.params();
    match &message.original.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(_) => message.fields().all(|(name, _)| params.contains(&&*name)),
            Fields::Unnamed(fields) => fields.unnamed.is_empty(),
            Fields::Unit => true,
        },
        Data::Enum(_) | Data::Union(_) => false,
    }
}

/// The same type again, from which serde builds the user's own. The empty bound is for a type with
/// a default: serde would ask for the mirror's.
pub(crate) fn mirror(message: &Message) -> TokenStream {
    let generics = &message.original.generics;
    let where_clause = &generics.where_clause;
    let serde = serde_path(message);
    let options = message.container.all();
    let remote = remote(message);
    let tag = tag(message);
    let reads = read_bound(message);
    let writes = (!message.args.receive_only).then(|| write_bound(message));
    let serialize = writes.as_ref().map(|_| quote!(__p::serde::Serialize,));
    let writes = writes.map(|bound| quote!(serialize = #bound,));
    let head = quote! {
        #[derive(#serialize __p::serde::Deserialize)]
        #[serde(crate = #serde, remote = #remote, bound(#writes deserialize = #reads), #tag #options)]
        #[allow(dead_code, nonstandard_style)]
    };
    match &message.original.data {
        Data::Struct(data) => {
            let fields = fields(message, &data.fields);
            match &data.fields {
                Fields::Named(_) => quote!(#head struct __Wire #generics #where_clause #fields),
                _ => quote!(#head struct __Wire #generics #fields #where_clause;),
            }
        }
        Data::Enum(data) => {
            let variants = data.variants.iter().map(|variant| {
                let name = &variant.ident;
                let attributes = carried(&variant.attrs, false);
                let fields = fields(message, &variant.fields);
                quote!(#attributes #name #fields)
            });
            quote!(#head enum __Wire #generics #where_clause { #(#variants),* })
        }
        Data::Union(_) => TokenStream::new(),
    }
}

/// The struct without the fields that params fill; markers in their place keep its lifetimes used.
pub(crate) fn without_params(message: &Message) -> TokenStream {
    let generics = &message.original.generics;
    let where_clause = &generics.where_clause;
    let serde = serde_path(message);
    let params = message.params();
    let options = message.container.without_default();
    let name = &message.original.ident;
    let expecting = message.container.expecting(&format!("struct {name}"));
    let default = message.container.default();
    let default_option = default.is_some().then(|| quote!(default,));
    let is_generic = message.original.generics.type_params().next().is_some();
    let bound = is_generic.then(|| {
        let reads = read_bound(message);
        quote!(bound(deserialize = #reads),)
    });
    let fields = message.fields().map(|(name, original)| {
        if params.contains(&&*name) {
            let (name, ty) = (&original.ident, &original.ty);
            quote!(#[serde(skip)] #name: ::core::marker::PhantomData<#ty>)
        } else {
            field(message, original)
        }
    });
    let default = default.map(|default| default_impl(message, default));
    quote! {
        #[derive(__p::serde::Deserialize)]
        #[serde(crate = #serde, #default_option #expecting #bound #options)]
        #[allow(dead_code, nonstandard_style)]
        struct __Wire #generics #where_clause { #(#fields),* }
        #default
    }
}

/// The struct again, by which serde writes the user's own without the fields that params fill.
pub(crate) fn written(message: &Message) -> TokenStream {
    let generics = &message.original.generics;
    let where_clause = &generics.where_clause;
    let (serde, remote) = (serde_path(message), remote(message));
    let options = message.container.without_default();
    let bound = write_bound(message);
    let params = message.params();
    let fields = message.fields().map(|(name, original)| {
        let (ident, ty) = (&original.ident, &original.ty);
        match params.contains(&&*name) {
            true => quote!(#[serde(skip)] #ident: #ty),
            false => {
                let attributes = carried(&original.attrs, false);
                quote!(#attributes #ident: #ty)
            }
        }
    });
    quote! {
        #[derive(__p::serde::Serialize)]
        #[serde(crate = #serde, remote = #remote, bound(serialize = #bound), #options)]
        #[allow(dead_code, nonstandard_style)]
        struct __Out #generics #where_clause { #(#fields),* }
    }
}

/// What is `Deserialize` for a codec of the user's: the mirror is not, it reads another type.
pub(crate) fn whole(message: &Message) -> TokenStream {
    let (name, generics) = (&message.original.ident, &message.original.generics);
    let (_, ty_generics, where_clause) = generics.split_for_impl();
    let params = generics.params.iter().map(without_default);
    let outlived = message.lifetimes().map(|lifetime| quote!('__p: #lifetime,));
    let conditions = where_clause.iter().flat_map(|clause| &clause.predicates);
    let read = generics.type_params().map(|param| {
        let name = &param.ident;
        quote!(#name: __p::Deserialize<'__p>)
    });
    quote! {
        struct __Whole<__T>(__T);
        impl<'__p, #(#params),*> __p::Deserialize<'__p> for __Whole<#name #ty_generics>
        where #(#outlived)* #(#conditions,)* #(#read),*
        {
            fn deserialize<__D: __p::Deserializer<'__p>>(
                __from: __D,
            ) -> __p::Made<Self, __D::Error> {
                __Wire::deserialize(__from).map(__Whole)
            }
        }
    }
}

/// What is `Serialize` for a codec of the user's, by the mirror of that name.
pub(crate) fn by_ref(message: &Message, mirror: &TokenStream) -> TokenStream {
    let (name, generics) = (&message.original.ident, &message.original.generics);
    let (_, ty_generics, where_clause) = generics.split_for_impl();
    let params = generics.params.iter().map(without_default);
    let conditions = where_clause.iter().flat_map(|clause| &clause.predicates);
    let written = message.encode_bounds();
    quote! {
        struct __Written<'__w, __T>(&'__w __T);
        impl<'__w, #(#params),*> __p::Serialize for __Written<'__w, #name #ty_generics>
        where #(#conditions,)* #(#written),*
        {
            fn serialize<__S: __p::Serializer>(
                &self,
                __into: __S,
            ) -> __p::Made<__S::Ok, __S::Error> {
                #mirror::serialize(self.0, __into)
            }
        }
    }
}

fn remote(message: &Message) -> String {
    message.original.ident.to_string()
}

/// What serde is told must hold for a message to be read: with no type parameters nothing, for a
/// type with a default it would ask for the mirror's.
fn read_bound(message: &Message) -> String {
    let params = message.original.generics.type_params();
    let bounds = params.map(|param| format!("{}: __p::Deserialize<'de>", param.ident));
    bounds.collect::<Vec<_>>().join(", ")
}

fn write_bound(message: &Message) -> String {
    let bounds = message.encode_bounds();
    quote!(#(#bounds),*).to_string()
}

/// `#[push(tag = "…")]` is serde's.
fn tag(message: &Message) -> Option<TokenStream> {
    let tag = message.args.tag.as_ref()?;
    Some(quote!(tag = #tag,))
}

/// What a missing field is, taken from the user's own default of the whole type.
fn default_impl(message: &Message, default: Missing) -> TokenStream {
    let (name, generics) = (&message.original.ident, &message.original.generics);
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let params = message.params();
    let whole = match default {
        Missing::Trait => quote!(::core::default::Default::default()),
        Missing::Path(path) => quote!(#path()),
    };
    let fields = message.fields().map(|(name, field)| {
        let ident = &field.ident;
        match params.contains(&&*name) {
            true => quote!(#ident: ::core::marker::PhantomData),
            false => quote!(#ident: __default.#ident),
        }
    });
    quote! {
        impl #impl_generics ::core::default::Default for __Wire #ty_generics #where_clause {
            fn default() -> Self {
                let __default: #name #ty_generics = #whole;
                Self { #(#fields),* }
            }
        }
    }
}

fn fields(message: &Message, fields: &Fields) -> TokenStream {
    let each = fields.iter().map(|original| field(message, original));
    match fields {
        Fields::Named(_) => quote!({ #(#each),* }),
        Fields::Unnamed(_) => quote!((#(#each),*)),
        Fields::Unit => TokenStream::new(),
    }
}

fn field(message: &Message, field: &Field) -> TokenStream {
    let Field {
        ident, ty, attrs, ..
    } = field;
    let attributes = carried(attrs, mentions_lifetime(message, ty.to_token_stream()));
    let colon = ident.as_ref().map(|_| quote!(:));
    quote!(#attributes #ident #colon #ty)
}

/// Whether a lifetime of the message's own is in the type; serde is then to borrow.
fn mentions_lifetime(message: &Message, ty: TokenStream) -> bool {
    let mut quoted = false;
    ty.into_iter().any(|token| match token {
        TokenTree::Punct(punct) => {
            quoted = punct.as_char() == '\'';
            false
        }
        TokenTree::Ident(name) if quoted => {
            quoted = false;
            message.lifetimes().any(|lifetime| lifetime.ident == name)
        }
        TokenTree::Group(group) => mentions_lifetime(message, group.stream()),
        _ => false,
    })
}

fn serde_path(message: &Message) -> String {
    let krate = message.args.krate().to_string().replace(' ', "");
    format!("{krate}::__private::serde")
}
