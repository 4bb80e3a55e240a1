//! The rules for a message type and its options.

use syn::{Data, DeriveInput, Fields};

use super::model::Message;
use crate::attr::serde::validate_options;
use crate::attr::{Codec, ListedParams, Listen};
use crate::errors::Errors;

impl Message {
    pub(super) fn validate(&self, errors: &mut Errors) {
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
        self.validate_attributes(errors);
        self.container.validate(ident, errors);
        if let Some(tag) = &self.args.tag
            && !matches!(data, Data::Enum(_))
        {
            errors.on(
                tag,
                format!("`tag` names the variants of an enum, and `{ident}` is not an enum"),
            );
        }
        self.validate_params(errors);
        self.validate_codec(errors);
        self.validate_trace(errors);
    }

    fn validate_attributes(&self, errors: &mut Errors) {
        for field in self.all_fields() {
            for attribute in field.attrs.iter().filter(|a| a.path().is_ident("push")) {
                errors.on(attribute, "`#[push(..)]` goes on the type");
            }
            validate_options(&field.attrs, errors);
        }
        validate_options(&self.original.attrs, errors);
        if let Data::Enum(data) = &self.original.data {
            for variant in &data.variants {
                validate_options(&variant.attrs, errors);
            }
        }
    }

    fn validate_params(&self, errors: &mut Errors) {
        let known: Vec<_> = self.fields().map(|(name, _)| name).collect();
        for listen in &self.args.listen {
            self.validate_params_of(listen, &known, errors);
        }
        for listen in &self.args.listen {
            let mut params = listen.params().into_iter();
            let is_field = |param: &str| known.iter().any(|field| field == param);
            if let Some(param) = params.find(|param| !self.is_param(param) && is_field(param)) {
                let text = if self.args.has_constants() && self.args.listed_params.is_none() {
                    format!(
                        "a list with a constant has the same params in all channels, which the \
                         attribute lists: add `params({param})`"
                    )
                } else {
                    format!(
                        "`{{{param}}}` is not in every channel of the list: the field could not be \
                         filled"
                    )
                };
                errors.on(&listen.name, text);
            }
        }
        if let Some(listed) = &self.args.listed_params {
            self.validate_listed(listed, &known, errors);
        }
    }

    /// Checks the params of constants, as far as they can be compared without the constants.
    fn validate_listed(&self, listed: &ListedParams, known: &[String], errors: &mut Errors) {
        let ident = &self.original.ident;
        if !self.args.has_constants() {
            errors.on(
                listed,
                "`params(..)` is for a name that is a constant; remove it, because the derive \
                 reads the params of a name in quotes",
            );
            return;
        }
        if self.without_named_fields().is_some() {
            errors.on(
                listed,
                "params fill the fields of a struct with named fields",
            );
            return;
        }
        for (name, text) in listed.names.iter().zip(listed.texts()) {
            if !known.contains(&text) {
                errors.on(name, ListedParams::not_a_field(&text, known, ident));
            }
        }
        let lacks = |listen: &&Listen| {
            let params = listen.params();
            !listen.is_constant() && !listed.texts().all(|text| params.contains(&&*text))
        };
        // A param of another name is reported already, if it has no field.
        if let Some(listen) = self.args.listen.iter().find(lacks)
            && errors.is_empty()
        {
            errors.on(&listen.name, "this channel lacks a param of `params(..)`");
        }
    }

    /// Returns the kind of a type whose fields no param can fill.
    fn without_named_fields(&self) -> Option<&'static str> {
        match &self.original.data {
            Data::Struct(data) if !matches!(data.fields, Fields::Unnamed(_)) => None,
            Data::Struct(_) => Some("tuple struct"),
            Data::Enum(_) | Data::Union(_) => Some("enum"),
        }
    }

    fn validate_params_of(&self, listen: &Listen, known: &[String], errors: &mut Errors) {
        let ident = &self.original.ident;
        for name in listen.literal_braces() {
            if known.contains(&name) {
                errors.on(
                    &listen.name,
                    format!(
                        "`{{{name}}}` is not a param: a sharded name is used unchanged, because there \
                         are no sharded patterns in Redis"
                    ),
                );
            }
        }
        for param in listen.params() {
            if let Some(kind) = self.without_named_fields() {
                errors.on(
                    &listen.name,
                    format!(
                        "`{{{param}}}` has no field in the {kind} `{ident}`: params fill the \
                         fields of a struct with named fields"
                    ),
                );
            } else if !known.iter().any(|field| field == param) {
                errors.on(&listen.name, ListedParams::not_a_field(param, known, ident));
            }
        }
    }

    fn validate_codec(&self, errors: &mut Errors) {
        let Some(codec) = &self.args.codec else {
            return;
        };
        codec.validate(errors);
        let Some(codec_name) = codec.single_field() else {
            return;
        };
        let ident = &self.original.ident;
        if self.struct_fields().is_none() {
            // Text is the exception: an enum is parsed and displayed as a whole.
            if matches!(codec, Codec::Bytes(_)) {
                errors.on(
                    codec_name,
                    format!(
                        "`codec = bytes` takes a struct with one field, and `{ident}` is not a \
                         struct"
                    ),
                );
            }
            return;
        }
        let count = self.payload_fields().count();
        if count != 1 {
            errors.on(
                codec_name,
                format!(
                    "with `codec = {}` the payload is one value: `{ident}` must have one field \
                     that is not in the channel's name, and has {count}",
                    codec.label()
                ),
            );
        }
    }
}
