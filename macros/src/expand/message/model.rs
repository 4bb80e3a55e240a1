//! A message type as the derive sees it: the type, its options and serde's options.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Field, Fields, Index, Lifetime, Member, Type};

use crate::ast::types::{mentions, without_self};
use crate::attr::serde::{Container, is_flattened};
use crate::attr::{Args, Codec, PUSH};
use crate::errors::Errors;

/// A type with `#[derive(PushMessage)]`.
pub(super) struct Message {
    /// The type, with its name in place of `Self` in the types of its fields.
    pub(super) original: DeriveInput,
    pub(super) args: Args,
    /// The names of the params, in the order of the template.
    params: Vec<String>,
    pub(super) container: Container,
}

impl Message {
    pub(super) fn from_syn(mut original: DeriveInput, errors: &mut Errors) -> Self {
        // The generated types repeat the fields under another name, where `Self` would be the
        // generated type.
        let (name, (_, ty_generics, _)) = (&original.ident, original.generics.split_for_impl());
        let self_type: Type = syn::parse_quote!(#name #ty_generics);
        for field in all_fields_mut(&mut original.data) {
            field.ty = without_self(&field.ty, &self_type);
        }
        let mut args = Args::default();
        for attribute in &original.attrs {
            if attribute.path().is_ident("push") {
                let tokens = attribute
                    .meta
                    .require_list()
                    .map(|list| list.tokens.clone());
                if let Some(tokens) = errors.handle(tokens) {
                    args.extend(tokens, PUSH, errors);
                }
            }
        }
        args.assume_crate(errors);
        let container = Container::from_syn(&original.attrs);
        let params = match &args.listed_params {
            Some(listed) => listed.texts().collect(),
            // The constant must have none.
            None if args.has_constants() => Vec::new(),
            None => args.params().into_iter().map(String::from).collect(),
        };
        Self {
            original,
            params,
            args,
            container,
        }
    }

    /// Returns the name of the type, for error texts.
    pub(super) fn label(&self) -> String {
        self.original.ident.unraw().to_string()
    }

    /// Returns the fields of a struct.
    pub(super) fn struct_fields(&self) -> Option<&Fields> {
        match &self.original.data {
            Data::Struct(data) => Some(&data.fields),
            Data::Enum(_) | Data::Union(_) => None,
        }
    }

    /// Returns the named fields of a struct, with their names.
    pub(super) fn fields(&self) -> impl Iterator<Item = (String, &Field)> {
        let fields = self.struct_fields();
        fields
            .into_iter()
            .flatten()
            .filter_map(|field| Some((name(field)?, field)))
    }

    /// Returns all fields, those of every variant of an enum too.
    pub(super) fn all_fields(&self) -> Vec<&Field> {
        match &self.original.data {
            Data::Struct(data) => data.fields.iter().collect(),
            Data::Enum(data) => data
                .variants
                .iter()
                .flat_map(|variant| &variant.fields)
                .collect(),
            Data::Union(data) => data.fields.named.iter().collect(),
        }
    }

    /// Returns the names of the params, in the order of the template.
    pub(super) fn params(&self) -> &[String] {
        &self.params
    }

    /// Whether the field of this name is filled from the channel name.
    pub(super) fn is_param(&self, name: &str) -> bool {
        self.params.iter().any(|param| param == name)
    }

    /// Returns the named fields that are filled from the channel name.
    pub(super) fn param_fields(&self) -> impl Iterator<Item = (String, &Field)> {
        self.fields().filter(|(name, _)| self.is_param(name))
    }

    /// Returns the fields of a struct that are in the payload.
    pub(super) fn payload_fields(&self) -> impl Iterator<Item = (Member, &Field)> {
        let fields = self.struct_fields().into_iter().flatten().enumerate();
        fields
            .filter(move |(_, field)| !name(field).is_some_and(|name| self.is_param(&name)))
            .map(|(index, field)| {
                let member = match &field.ident {
                    Some(name) => Member::Named(name.clone()),
                    None => Member::Unnamed(Index::from(index)),
                };
                (member, field)
            })
    }

    /// Returns the first field of a struct that is in the payload. With `codec = text` and
    /// `codec = bytes` it is the only one.
    pub(super) fn payload_field(&self) -> Option<(Member, &Field)> {
        self.payload_fields().next()
    }

    /// Whether a type contains a type parameter of the message.
    pub(super) fn is_generic(&self, ty: &Type) -> bool {
        self.type_params()
            .any(|param| mentions(ty.to_token_stream(), param))
    }

    /// Whether a field is converted from text: from a param, or from the payload.
    pub(super) fn reads_text(&self) -> bool {
        !self.params.is_empty() || matches!(self.args.codec, Some(Codec::Text(_)))
    }

    /// Whether a field is flattened: it takes what no other field takes.
    pub(super) fn flattens(&self) -> bool {
        self.fields().any(|(_, field)| is_flattened(&field.attrs))
    }

    /// Whether no field is in the payload, so that the payload is not read.
    pub(super) fn has_no_payload(&self) -> bool {
        self.struct_fields().is_some() && self.payload_field().is_none()
    }

    /// Returns the lifetime parameters of the type.
    pub(super) fn lifetimes(&self) -> impl Iterator<Item = &Lifetime> {
        self.original
            .generics
            .lifetimes()
            .map(|param| &param.lifetime)
    }

    /// Returns the names of the type parameters of the type.
    pub(super) fn type_params(&self) -> impl Iterator<Item = &Ident> {
        self.original
            .generics
            .type_params()
            .map(|param| &param.ident)
    }
}

/// Returns the name of a field without the `r#` of a raw identifier.
pub(super) fn name(field: &Field) -> Option<String> {
    field.ident.as_ref().map(|name| name.unraw().to_string())
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
