//! The expansion of `#[derive(PushMessage)]`.
//!
//! A message is received by its `FromPush` impl and published by its `ToPayload` and `Publishable`
//! impls; `PushMessage` names its subscriptions. The steps, one per module:
//!
//! - `model` parses the type and its attributes into a [`Message`], and `validate` checks it.
//! - `trace` checks that a payload which carries a trace context has a place for it.
//! - `bounds` lists what the impls require of the types of the fields.
//! - `mirror` generates types that serde reads and writes in place of the user's type, so that the
//!   user's type needs no serde derive.
//! - `decode` and `encode` generate the impls, and `address` the functions that make addresses.
//!
//! # Dependencies
//!
//! `lib.rs` calls [`expand`], and [`attr`](crate::attr) parses the options. A module here imports
//! only from those listed before it; `decode`, `encode` and `address` do not import each other.
//!
//! # Invariants
//!
//! - Each field comes from exactly one place: the channel name if a param has its name, otherwise
//!   the payload. Decoding and encoding make the same choice, in [`Message::is_param`].
//! - The payload looks as serde's derives on the user's type would write it, without the fields
//!   that params fill. Serde's attributes are forwarded for that, not interpreted.
//! - The channel is matched before the payload is read. A channel that does not match the template
//!   is counted as unmatched, whatever its payload.
//! - What only publishing needs is required only where something is published. A type that is only
//!   received need not be writable.

mod address;
mod bounds;
mod decode;
mod encode;
mod mirror;
mod model;
mod trace;
mod validate;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Data, Field};

use self::model::Message;
use super::fallback;
use crate::attr::serde_names::{self, Case};
use crate::attr::{Listen, constants, serde};
use crate::errors::Errors;
use crate::spans::{ends, parenthesized};

pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let Some(original) = errors.handle(syn::parse2(input)) else {
        return errors.into_tokens();
    };
    let message = Message::from_syn(original, &mut errors);
    message.validate(&mut errors);
    let expansion = if errors.is_empty() {
        impls(&message)
    } else {
        let address = address::impls(&message);
        fallback::message(&message.args, &message.original, &address)
    };
    let errors = errors.into_tokens();
    quote!(#errors #expansion)
}

fn impls(message: &Message) -> TokenStream {
    let krate = message.args.krate();
    let constants = constants(&message.args.listen);
    let checks = checks_of_constants(message);
    let push_message = push_message(message);
    let decode = decode::impls(message);
    let encode = encode::impls(message);
    let address = address::impls(message);
    quote! {
        #[allow(deprecated, nonstandard_style, single_use_lifetimes, type_alias_bounds)]
        const _: () = {
            use #krate::__private as __p;
            #constants
            #checks
            #push_message
            #decode
            #encode
            #address
        };
    }
}

/// Returns the constants that compare the params of constants with those that the attribute lists.
fn checks_of_constants(message: &Message) -> TokenStream {
    let params = message.params();
    let checks = message.args.listen.iter().filter_map(|listen| {
        let mut name = listen.const_name()?;
        Some(match &message.args.listed_params {
            Some(listed) => {
                let (first, last) = ends(listed);
                name.set_span(first);
                let argument = parenthesized(quote!(&[#(#params),*]), last);
                quote_spanned!(first=> #name.has_params #argument)
            }
            None => {
                let (first, last) = ends(&listen.name);
                name.set_span(first);
                let written = format!("{} = {}", listen.key, listen.text());
                let argument = parenthesized(quote!(#written), last);
                quote_spanned!(first=> #name.has_no_params #argument)
            }
        })
    });
    quote!(#(const _: () = #checks;)*)
}

/// Returns the impl that describes the message.
fn push_message(message: &Message) -> TokenStream {
    let name = &message.original.ident;
    let (impl_generics, ty_generics, where_clause) = message.original.generics.split_for_impl();
    let subscriptions = message.args.listen.iter().map(Listen::subscription);
    let fields = payload_names(message);
    let names = names_to_read(message);
    let names = (!names.is_empty()).then(|| {
        quote! {
            const NAMES: &'static [(&'static str, &'static [&'static str])] = &[#(#names),*];
        }
    });
    let codec = message.args.codec.as_ref().map(|codec| {
        let label = codec.label();
        quote!(const CODEC: &'static str = #label;)
    });
    quote! {
        impl #impl_generics __p::PushMessage for #name #ty_generics #where_clause {
            const SUBSCRIPTIONS: &'static [__p::Subscription] = &[#(#subscriptions),*];
            const FIELDS: &'static [&'static str] = &[#(#fields),*];
            #names
            #codec
        }
    }
}

/// Returns the params, and the other fields by their names in the payload.
///
/// It returns nothing if those names are not known here. The check of `ordered_by`, which is what
/// they are for, then accepts every name.
fn payload_names(message: &Message) -> Vec<String> {
    if message.container.renames_fields() {
        return Vec::new();
    }
    let payload_name = |(name, field): (String, &Field)| {
        if message.is_param(&name) {
            Some(name)
        } else {
            serde::payload_name(&field.attrs, name)
        }
    };
    message
        .fields()
        .map(payload_name)
        .collect::<Option<Vec<_>>>()
        .unwrap_or_default()
}

/// Returns the fields that are read by other names than their own, with these names.
///
/// For a struct whose fields are all in [`payload_names`], only those with several names.
fn names_to_read(message: &Message) -> Vec<TokenStream> {
    let least = usize::from(!message.container.renames_fields()) + 1;
    let attributes = &message.original.attrs;
    let names_of = |field: &Field, case: &Case| {
        let name = model::name(field).filter(|name| !message.is_param(name))?;
        let names = serde_names::names_to_read(&field.attrs, &name, case);
        let is_other = names.len() >= least && names != [&*name];
        is_other.then(|| quote!((#name, &[#(#names),*])))
    };
    match &message.original.data {
        Data::Struct(data) => {
            let case = Case::of(attributes, "rename_all");
            let fields = data.fields.iter();
            fields.filter_map(|field| names_of(field, &case)).collect()
        }
        Data::Enum(data) => {
            let case = Case::of(attributes, "rename_all_fields");
            let variants = data.variants.iter().flat_map(|variant| {
                let case = Case::of(&variant.attrs, "rename_all").or(&case);
                let fields = variant.fields.iter();
                fields.filter_map(move |field| names_of(field, &case))
            });
            variants.collect()
        }
        Data::Union(_) => Vec::new(),
    }
}
