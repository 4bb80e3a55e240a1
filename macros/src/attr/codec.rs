//! The option `codec`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::Path;
use syn::parse::{Parse, ParseStream};

use crate::ast::types::readable;
use crate::errors::{Errors, nearest};

/// The encoding of a message's payload.
pub(crate) enum Codec {
    Json,
    Text(Path),
    Bytes(Path),
    MsgPack(Path),
    /// A type that implements the trait `Codec`.
    Custom(Path),
}

impl Parse for Codec {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let path: Path = input.parse()?;
        let known = path.get_ident().map(ToString::to_string);
        Ok(match known.as_deref() {
            Some("json") => Self::Json,
            Some("text") => Self::Text(path),
            Some("bytes") => Self::Bytes(path),
            Some("msgpack") => Self::MsgPack(path),
            _ => Self::Custom(path),
        })
    }
}

/// The names of the built-in codecs.
const BUILT_IN: [&str; 4] = ["json", "text", "bytes", "msgpack"];

impl Codec {
    pub(crate) fn validate(&self, errors: &mut Errors) {
        if let Self::MsgPack(path) = self
            && !cfg!(feature = "msgpack")
        {
            errors.on(
                path,
                "`codec = msgpack` needs the feature `msgpack` of `redis-push`",
            );
        }
        // A path in lower case is more likely a misspelt built-in codec than a type.
        if let Self::Custom(path) = self
            && let Some(ident) = path.get_ident()
        {
            let name = ident.to_string();
            let is_type = name.starts_with(|first: char| first.is_uppercase());
            if !is_type && let Some(near) = nearest(&name, BUILT_IN) {
                errors.on(
                    path,
                    format!("unknown codec `{name}`; did you mean `{near}`?"),
                );
            }
        }
    }

    /// Returns the name that wiring tables show.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Json => String::from("json"),
            Self::Text(_) => String::from("text"),
            Self::Bytes(_) => String::from("bytes"),
            Self::MsgPack(_) => String::from("msgpack"),
            Self::Custom(path) => readable(path),
        }
    }

    /// Returns the name as the user wrote it, for a codec whose payload is the value of one field.
    pub(crate) fn single_field(&self) -> Option<&Path> {
        match self {
            Self::Text(path) | Self::Bytes(path) => Some(path),
            Self::Json | Self::MsgPack(_) | Self::Custom(_) => None,
        }
    }

    /// Returns the type that implements the trait `Codec`. JSON, text and bytes have none.
    pub(crate) fn path(&self) -> Option<TokenStream> {
        match self {
            Self::MsgPack(_) => Some(quote!(__p::MsgPackCodec)),
            Self::Custom(path) => Some(path.to_token_stream()),
            Self::Json | Self::Text(_) | Self::Bytes(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(not(feature = "msgpack"))]
    #[test]
    fn a_codec_whose_feature_is_off_names_the_feature() {
        let mut errors = Errors::default();
        let codec: Codec = syn::parse_str("msgpack").unwrap();
        codec.validate(&mut errors);
        let reported = errors.into_tokens().to_string();
        assert!(
            reported.contains("needs the feature `msgpack`"),
            "{reported}"
        );
    }

    #[test]
    fn a_path_is_a_custom_codec() {
        let codec: Codec = syn::parse_str("codecs::Cbor").unwrap();
        assert_eq!(codec.label(), "codecs::Cbor");
        let codec: Codec = syn::parse_str("text").unwrap();
        assert!(codec.path().is_none() && codec.single_field().is_some());
    }
}
