//! Attributes of the user's code that generated code repeats.

use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token, parse_quote};

/// Returns the attributes that decide whether an item exists: `cfg`, also inside `cfg_attr`.
pub(crate) fn conditions(attributes: &[Attribute]) -> Vec<Attribute> {
    kept(attributes, &|meta| {
        meta.path().is_ident("cfg").then(|| meta.clone())
    })
}

/// Returns the attributes that silence lints, for code that repeats the types of an item.
///
/// An `expect` becomes an `allow`: the lint need not fire a second time. A deprecated function may
/// be called by the code that is generated for it.
pub(crate) fn silenced_lints(attributes: &[Attribute]) -> Vec<Attribute> {
    kept(attributes, &|meta| match meta {
        Meta::List(list) if list.path.is_ident("allow") => Some(meta.clone()),
        Meta::List(list) if list.path.is_ident("expect") => {
            let lints = &list.tokens;
            Some(parse_quote!(allow(#lints)))
        }
        _ if meta.path().is_ident("deprecated") => Some(parse_quote!(allow(deprecated))),
        _ => None,
    })
}

/// Returns what `keep` makes of each attribute. A `cfg_attr` is repeated with what is kept of its
/// attributes, because the macro does not know whether its condition holds.
fn kept(attributes: &[Attribute], keep: &dyn Fn(&Meta) -> Option<Meta>) -> Vec<Attribute> {
    attributes
        .iter()
        .filter_map(|attribute| kept_of(&attribute.meta, keep))
        .map(|meta| parse_quote!(#[#meta]))
        .collect()
}

fn kept_of(meta: &Meta, keep: &dyn Fn(&Meta) -> Option<Meta>) -> Option<Meta> {
    let Meta::List(list) = meta else {
        return keep(meta);
    };
    if !list.path.is_ident("cfg_attr") {
        return keep(meta);
    }
    let parser = Punctuated::<Meta, Token![,]>::parse_terminated;
    let mut parts = list.parse_args_with(parser).ok()?.into_iter();
    let condition = parts.next()?.into_token_stream();
    let kept: Vec<_> = parts.filter_map(|meta| kept_of(&meta, keep)).collect();
    (!kept.is_empty()).then(|| parse_quote!(cfg_attr(#condition, #(#kept),*)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(attributes: &[Attribute]) -> Vec<String> {
        let text = |attribute: &Attribute| attribute.to_token_stream().to_string();
        attributes
            .iter()
            .map(|attribute| text(attribute).replace(' ', ""))
            .collect()
    }

    #[test]
    fn conditions_are_found_inside_cfg_attr() {
        let attributes: Vec<Attribute> = vec![
            parse_quote!(#[cfg(unix)]),
            parse_quote!(#[inline]),
            parse_quote!(#[cfg_attr(test, inline, cfg(any()), cfg_attr(unix, cfg(windows)))]),
            parse_quote!(#[cfg_attr(test, must_use)]),
        ];
        assert_eq!(
            texts(&conditions(&attributes)),
            [
                "#[cfg(unix)]",
                "#[cfg_attr(test,cfg(any()),cfg_attr(unix,cfg(windows)))]",
            ]
        );
    }

    #[test]
    fn silenced_lints_stay_silenced() {
        let attributes: Vec<Attribute> = vec![
            parse_quote!(#[allow(clippy::too_many_arguments)]),
            parse_quote!(#[expect(deprecated, reason = "old clients")]),
            parse_quote!(#[cfg_attr(test, deny(unused), deprecated)]),
        ];
        assert_eq!(
            texts(&silenced_lints(&attributes)),
            [
                "#[allow(clippy::too_many_arguments)]",
                "#[allow(deprecated,reason=\"oldclients\")]",
                "#[cfg_attr(test,allow(deprecated))]",
            ]
        );
    }
}
