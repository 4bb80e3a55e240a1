use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::Path;
use syn::parse::{Parse, ParseStream};

use crate::errors::{Errors, nearest};

/// `codec = …`: how a message's payload is written.
pub(crate) enum Codec {
    Json,
    Text(Path),
    Bytes(Path),
    MsgPack(Path),
    /// A type of the user's.
    Own(Path),
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
            _ => Self::Own(path),
        })
    }
}

/// What goes by a name of ours.
const KNOWN: [&str; 4] = ["json", "text", "bytes", "msgpack"];

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
        // A builtin that is nearly one, rather than a type in lower case that is not there.
        if let Self::Own(path) = self
            && let Some(ident) = path.get_ident()
        {
            let name = ident.to_string();
            let is_type = name.starts_with(|first: char| first.is_uppercase());
            if !is_type && let Some(near) = nearest(&name, KNOWN) {
                errors.on(
                    path,
                    format!("unknown codec `{name}`; did you mean `{near}`?"),
                );
            }
        }
    }

    /// What wiring tables call it.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Json => String::from("json"),
            Self::Text(_) => String::from("text"),
            Self::Bytes(_) => String::from("bytes"),
            Self::MsgPack(_) => String::from("msgpack"),
            Self::Own(path) => path.to_token_stream().to_string().replace(' ', ""),
        }
    }

    /// Where the whole payload is one value of a field's, the attribute's word for it.
    pub(crate) fn of_one_field(&self) -> Option<&Path> {
        match self {
            Self::Text(path) | Self::Bytes(path) => Some(path),
            Self::Json | Self::MsgPack(_) | Self::Own(_) => None,
        }
    }

    /// The type that implements it, for one that goes through `Codec`.
    pub(crate) fn path(&self) -> Option<TokenStream> {
        match self {
            Self::MsgPack(_) => Some(quote!(__p::MsgPackCodec)),
            Self::Own(path) => Some(path.to_token_stream()),
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
        let told = errors.into_tokens().to_string();
        assert!(told.contains("needs the feature `msgpack`"), "{told}");
    }

    #[test]
    fn paths_are_codecs_of_the_users() {
        let codec: Codec = syn::parse_str("codecs::Cbor").unwrap();
        assert_eq!(codec.label(), "codecs::Cbor");
        let codec: Codec = syn::parse_str("text").unwrap();
        assert!(codec.path().is_none() && codec.of_one_field().is_some());
    }
}
