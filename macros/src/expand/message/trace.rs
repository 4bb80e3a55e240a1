//! The option `trace`: whether the payload has a place for a trace context.

use proc_macro2::Ident;
use syn::{Data, Field, Fields};

use super::model::{self, Message};
use crate::attr::Codec;
use crate::attr::serde_names::{Case, name_to_write, names_to_read};
use crate::errors::Errors;

/// The name of the context in the payload.
const NAME: &str = "traceparent";

impl Message {
    pub(super) fn validate_trace(&self, errors: &mut Errors) {
        let Some(trace) = &self.args.trace else {
            return;
        };
        if let Some(text) = self.has_no_place() {
            errors.on(trace, text);
            return;
        }
        let tag = self.args.tag.as_ref().map(syn::LitStr::value);
        if tag.or_else(|| self.container.tag()).as_deref() == Some(NAME) {
            errors.on(
                trace,
                format!(
                    "`trace` adds the member `{NAME}` to the payload, and the tag has this name: choose \
                     another tag"
                ),
            );
        }
        for (field, case) in self.fields_with_cases() {
            self.validate_name(field, &case, trace, errors);
        }
    }

    /// Returns why the payload has no place for a context, and what to do.
    fn has_no_place(&self) -> Option<String> {
        let ident = &self.original.ident;
        match &self.args.codec {
            None | Some(Codec::Json | Codec::MsgPack(_)) => {}
            Some(codec @ (Codec::Text(_) | Codec::Bytes(_))) => {
                let label = codec.label();
                return Some(format!(
                    "`trace` adds a member to a JSON object or a MessagePack map, and with `codec = {label}` \
                     the payload is one value: use `codec = json` or `msgpack`, or remove `trace`"
                ));
            }
            Some(codec) => {
                let label = codec.label();
                return Some(format!(
                    "`trace` adds a member to a JSON object or a MessagePack map, and with `codec = {label}` \
                     the payload is neither: use `codec = json` or `msgpack`, or remove `trace` and give \
                     the message a field of the type `redis_push::TraceParent`"
                ));
            }
        }
        if let Some(option) = self.container.may_be_no_map() {
            return Some(format!(
                "`trace` adds a member to the payload, which may have no place for it with \
                 `#[serde({option})]`: remove one of them"
            ));
        }
        match &self.original.data {
            Data::Struct(data) if !matches!(data.fields, Fields::Named(_)) => Some(format!(
                "`trace` adds a member to the payload, so `{ident}` must have named fields"
            )),
            Data::Struct(_) if self.has_no_payload() => Some(format!(
                "`trace` adds a member to the payload, and `{ident}` has none: each of its fields is in the \
                 channel's name; add a field"
            )),
            Data::Enum(_) if self.args.tag.is_none() && !self.container.has_tag() => Some(format!(
                "`trace` adds a member to the payload, so the enum `{ident}` needs a field for the name of \
                 the variant: add `tag = \"type\"`"
            )),
            _ => None,
        }
    }

    /// Returns the fields, with the cases of their names.
    fn fields_with_cases(&self) -> Vec<(&Field, Case)> {
        let attributes = &self.original.attrs;
        match &self.original.data {
            Data::Enum(data) => {
                let of_type = Case::of(attributes, "rename_all_fields");
                let variants = data.variants.iter().flat_map(|variant| {
                    let case = Case::of(&variant.attrs, "rename_all").or(&of_type);
                    variant
                        .fields
                        .iter()
                        .map(move |field| (field, case.clone()))
                });
                variants.collect()
            }
            _ => {
                let case = Case::of(attributes, "rename_all");
                let fields = self.all_fields().into_iter();
                fields.map(|field| (field, case.clone())).collect()
            }
        }
    }

    fn validate_name(&self, field: &Field, case: &Case, trace: &Ident, errors: &mut Errors) {
        let Some(name) = model::name(field).filter(|name| !self.is_param(name)) else {
            return;
        };
        let mut names = names_to_read(&field.attrs, &name, case);
        if !names.is_empty() {
            names.push(name_to_write(&field.attrs, &name, case));
        }
        if names.iter().any(|name| name == NAME) {
            errors.on(
                trace,
                format!(
                    "`trace` adds the member `{NAME}` to the payload, and a field has this name: rename the \
                     field, or remove `trace` and fill the field yourself"
                ),
            );
        }
    }
}
