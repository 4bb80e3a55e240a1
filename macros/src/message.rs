use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Field, Fields, Lifetime, Type};

use crate::args::{self, Args};
use crate::codec::Codec;
use crate::errors::{Errors, nearest};
use crate::fallback;
use crate::listen::Listen;
use crate::serde_attrs::{Container, validate_words};
use crate::types::without_self;

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
    fn from_syn(mut original: DeriveInput, errors: &mut Errors) -> Self {
        // What is written beside the type has the fields too, and another name.
        let (name, (_, ty_generics, _)) = (&original.ident, original.generics.split_for_impl());
        let itself: Type = syn::parse_quote!(#name #ty_generics);
        for field in all_fields_mut(&mut original.data) {
            field.ty = without_self(&field.ty, &itself);
        }
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
        self.args.validate(errors);
        if self.args.listen.is_empty() && errors.is_empty() {
            errors.on(
                ident,
                format!(
                    "say where `{ident}` is published: `#[push(channel = \"orders.{{id}}\")]` (or \
                     `pattern`, `shard`); for a payload of any channel take `Json<{ident}>` in the \
                     handler"
                ),
            );
        }
        if let Some(param) = generics.const_params().next() {
            errors.on(
                param,
                format!("push message `{ident}` cannot be generic over a const"),
            );
        }
        if let Data::Union(union) = data {
            errors.on(union.union_token, "a union cannot be a push message");
        }
        for field in all_fields(data) {
            for attribute in field.attrs.iter().filter(|a| a.path().is_ident("push")) {
                errors.on(attribute, "`#[push(..)]` goes on the type");
            }
            validate_words(&field.attrs, errors);
        }
        validate_words(&self.original.attrs, errors);
        if let Data::Enum(data) = data {
            for variant in &data.variants {
                validate_words(&variant.attrs, errors);
            }
        }
        self.container.validate(ident, errors);
        if let Some(tag) = &self.args.tag
            && !matches!(data, Data::Enum(_))
        {
            errors.on(
                tag,
                format!("`tag` names the variants of an enum, and `{ident}` is none"),
            );
        }
        self.validate_params(errors);
        self.validate_codec(errors);
    }

    fn validate_params(&self, errors: &mut Errors) {
        let what = match &self.original.data {
            Data::Struct(data) if !matches!(data.fields, Fields::Unnamed(_)) => None,
            Data::Struct(_) => Some("tuple struct"),
            Data::Enum(_) | Data::Union(_) => Some("enum"),
        };
        let known: Vec<_> = self.fields().map(|(name, _)| name).collect();
        for listen in &self.args.listen {
            self.validate_params_of(listen, what, &known, errors);
        }
        let common = self.args.params();
        for listen in &self.args.listen {
            let mut params = listen.params().into_iter();
            let is_field = |param: &str| known.iter().any(|field| field == param);
            if let Some(param) = params.find(|param| !common.contains(param) && is_field(param)) {
                errors.on(
                    &listen.name,
                    format!(
                        "`{{{param}}}` is not in every channel of the list: the field could not be \
                         filled"
                    ),
                );
            }
        }
    }

    fn validate_params_of(
        &self,
        listen: &Listen,
        what: Option<&str>,
        known: &[String],
        errors: &mut Errors,
    ) {
        let name = &self.original.ident;
        for name in listen.literal_braces() {
            if known.contains(&name) {
                errors.on(
                    &listen.name,
                    format!(
                        "`{{{name}}}` is no param here: sharded channels have no patterns in Redis, \
                         and the name is taken as it is"
                    ),
                );
            }
        }
        for param in listen.params() {
            if let Some(what) = what {
                errors.on(
                    &listen.name,
                    format!(
                        "`{{{param}}}` has no field in the {what} `{name}`: params fill the fields of \
                         a struct with named fields"
                    ),
                );
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

    fn validate_codec(&self, errors: &mut Errors) {
        let Some(codec) = &self.args.codec else {
            return;
        };
        codec.validate(errors);
        let Some(word) = codec.of_one_field() else {
            return;
        };
        let (name, label) = (&self.original.ident, codec.label());
        let params = self.params();
        let Some(fields) = self.struct_fields() else {
            if matches!(codec, Codec::Bytes(_)) {
                errors.on(
                    word,
                    format!("`codec = bytes` takes a struct with one field, and `{name}` is none"),
                );
            }
            return;
        };
        let in_payload: Vec<_> = fields
            .iter()
            .map(|field| field.ident.as_ref().map(|name| name.unraw().to_string()))
            .filter(|name| name.as_ref().is_none_or(|name| !params.contains(&&**name)))
            .collect();
        if in_payload.len() != 1 {
            errors.on(
                word,
                format!(
                    "with `codec = {label}` the payload is one value: `{name}` must have one field \
                     that is not in the channel's name, and has {}",
                    in_payload.len()
                ),
            );
        }
    }

    /// The fields of a struct.
    pub(crate) fn struct_fields(&self) -> Option<&Fields> {
        match &self.original.data {
            Data::Struct(data) => Some(&data.fields),
            Data::Enum(_) | Data::Union(_) => None,
        }
    }

    /// The named fields, and their names without the `r#` of a raw one.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (String, &Field)> {
        let fields = self.struct_fields();
        fields.into_iter().flatten().filter_map(|field| {
            let name = field.ident.as_ref()?;
            Some((name.unraw().to_string(), field))
        })
    }

    /// The names of the params, in the order of the template.
    pub(crate) fn params(&self) -> Vec<&str> {
        self.args.params()
    }

    /// The lifetimes that the type has.
    pub(crate) fn lifetimes(&self) -> impl Iterator<Item = &Lifetime> {
        self.original
            .generics
            .lifetimes()
            .map(|param| &param.lifetime)
    }
}

fn all_fields_mut(data: &mut Data) -> Vec<&mut Field> {
    match data {
        Data::Struct(data) => data.fields.iter_mut().collect(),
        Data::Enum(data) => data
            .variants
            .iter_mut()
            .flat_map(|variant| &mut variant.fields)
            .collect(),
        Data::Union(data) => data.fields.named.iter_mut().collect(),
    }
}

/// The fields of every variant too.
fn all_fields(data: &Data) -> Vec<&Field> {
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
