//! Names that are constants. The runtime's `ConstName` reads them, because a macro cannot.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use super::listen::Listen;
use crate::spans::{ends, parenthesized};

/// Returns the constants `__NAME_0`, `__SUBSCRIPTION_0` and so on of the names that are constants.
pub(crate) fn constants(listens: &[Listen]) -> TokenStream {
    let constants = listens.iter().enumerate().filter_map(|(at, listen)| {
        let (name, path) = (listen.const_name()?, listen.constant()?);
        let subscription = listen.subscription();
        let earlier = listens[..at].iter().filter_map(Listen::const_name);
        let earlier = earlier.map(|name| quote!(#name.text()));
        let literals = listens.iter().filter_map(Listen::literal);
        let others: Vec<_> = earlier.chain(literals.map(|text| quote!(#text))).collect();
        let (first, last) = ends(path);
        let option = Ident::new(&listen.key.to_string(), first);
        let text = quote_spanned!(first=> __TEXT);
        let method = quote_spanned!(first=> __p::ConstName::#option);
        let argument = parenthesized(quote!(#text), last);
        let other_than = (!others.is_empty()).then(|| {
            let argument = parenthesized(quote!(&[#(#others),*]), last);
            quote_spanned!(first=> .other_than #argument)
        });
        let ty = quote_spanned!(first=> &'static str);
        Some(quote! {
            const #name: __p::ConstName = {
                const #text: #ty = #path;
                #method #argument #other_than
            };
            const #subscription: __p::Subscription = {
                const __LITERALS: &[u8] = &#name.literals::<{ #name.literals_len() }>();
                const __GLOB: &[u8] = &#name.glob::<{ #name.glob_len() }>();
                const __SEGMENTS: &[__p::Segment] =
                    &#name.segments::<{ #name.segments_len() }>(__LITERALS);
                #name.subscription(__LITERALS, __GLOB, __SEGMENTS)
            };
        })
    });
    constants.collect()
}
