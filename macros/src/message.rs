use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Field, Fields, GenericParam, Lifetime, Type};

use crate::args::{self, Args};
use crate::errors::{Errors, nearest};
use crate::fallback;
use crate::listen::Listen;
use crate::serde_attrs::Container;
use crate::signature::{ends, placed};
use crate::wire;

/// `#[derive(PushMessage)]`: a type and the channel that it is published on.
pub(crate) struct Message {
    pub(crate) original: DeriveInput,
    pub(crate) args: Args,
    pub(crate) container: Container,
}

pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let Some(original) = errors.take(syn::parse2(input)) else {
        return errors.into_tokens();
    };
    let message = Message::from_syn(original, &mut errors);
    message.validate(&mut errors);
    let made = match errors.is_empty() {
        true => message.expand(),
        false => fallback::message(&message.args, &message.original),
    };
    let errors = errors.into_tokens();
    quote!(#errors #made)
}

impl Message {
    fn from_syn(original: DeriveInput, errors: &mut Errors) -> Self {
        let mut args = Args::default();
        for attribute in &original.attrs {
            if attribute.path().is_ident("push") {
                let tokens = attribute
                    .meta
                    .require_list()
                    .map(|list| list.tokens.clone());
                if let Some(tokens) = errors.take(tokens) {
                    args.extend(tokens, args::PUSH, errors);
                }
            }
        }
        let container = Container::from_syn(&original.attrs);
        Self {
            original,
            args,
            container,
        }
    }

    fn validate(&self, errors: &mut Errors) {
        let DeriveInput {
            ident,
            data,
            generics,
            ..
        } = &self.original;
        if self.args.listen.is_none() && errors.is_empty() {
            errors.on(ident, format!("say where `{ident}` is published: `#[push(channel = \"orders.{{id}}\")]` (or `pattern`, `shard`); for a payload of any channel take `Json<{ident}>` in the handler"));
        }
        for param in &generics.params {
            if !matches!(param, GenericParam::Lifetime(_)) {
                errors.on(param, format!("push message `{ident}` cannot be generic over a type or a const; only over lifetimes"));
            }
        }
        if let Data::Union(union) = data {
            errors.on(union.union_token, "a union cannot be a push message");
        }
        for field in all_fields(data) {
            for attribute in field.attrs.iter().filter(|a| a.path().is_ident("push")) {
                errors.on(attribute, "`#[push(..)]` goes on the type");
            }
        }
        self.container.validate(ident, errors);
        self.validate_params(errors);
    }

    fn validate_params(&self, errors: &mut Errors) {
        let name = &self.original.ident;
        let Some(listen) = &self.args.listen else {
            return;
        };
        let what = match &self.original.data {
            Data::Struct(data) if !matches!(data.fields, Fields::Unnamed(_)) => None,
            Data::Struct(_) => Some("tuple struct"),
            Data::Enum(_) | Data::Union(_) => Some("enum"),
        };
        let known: Vec<_> = self.fields().map(|(name, _)| name).collect();
        for param in listen.params() {
            if let Some(what) = what {
                errors.on(&listen.name, format!("`{{{param}}}` has no field in the {what} `{name}`: params fill the fields of a struct with named fields"));
            } else if !known.iter().any(|field| field == param) {
                let hint = match nearest(param, known.iter().map(String::as_str)) {
                    Some(near) => format!("; did you mean `{{{near}}}`?"),
                    None => String::new(),
                };
                errors.on(
                    &listen.name,
                    format!("`{{{param}}}` has no field `{param}` in `{name}`{hint}"),
                );
            }
        }
    }

    /// The named fields, and their names without the `r#` of a raw one.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (String, &Field)> {
        let fields = match &self.original.data {
            Data::Struct(data) => Some(&data.fields),
            Data::Enum(_) | Data::Union(_) => None,
        };
        fields.into_iter().flatten().filter_map(|field| {
            let name = field.ident.as_ref()?;
            Some((name.unraw().to_string(), field))
        })
    }

    /// The names of the params, in the order of the template.
    pub(crate) fn params(&self) -> Vec<&str> {
        self.args
            .listen
            .iter()
            .flat_map(|listen| listen.params())
            .collect()
    }

    /// The lifetimes that the type has.
    pub(crate) fn lifetimes(&self) -> impl Iterator<Item = &Lifetime> {
        self.original
            .generics
            .lifetimes()
            .map(|param| &param.lifetime)
    }

    fn expand(&self) -> TokenStream {
        let krate = self.args.krate();
        let (name, generics) = (&self.original.ident, &self.original.generics);
        let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
        let subscription = self.args.listen.as_ref().map(Listen::expand);
        let fields = self.fields().map(|(name, _)| name);
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

/// The fields of every variant too.
pub(crate) fn all_fields(data: &Data) -> Vec<&Field> {
    match data {
        Data::Struct(data) => data.fields.iter().collect(),
        Data::Enum(data) => data
            .variants
            .iter()
            .flat_map(|variant| &variant.fields)
            .collect(),
        Data::Union(data) => data.fields.named.iter().collect(),
    }
}
