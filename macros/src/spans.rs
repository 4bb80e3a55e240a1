//! Where generated tokens are said to stand: carets go by it.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::ToTokens;

/// The spans of the first and the last token, for a caret under all of them.
pub(crate) fn ends(tokens: impl ToTokens) -> (Span, Span) {
    let mut spans = tokens
        .into_token_stream()
        .into_iter()
        .map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (placed(first), placed(spans.last().unwrap_or(first)))
}

/// A span at that place whose tokens count as the macro's: lints of the user's crate leave them
/// alone.
pub(crate) fn placed(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// The tokens in parentheses whose span is that of the last token they speak of: a caret then
/// reaches up to it.
pub(crate) fn closed_at(last: Span, tokens: TokenStream) -> TokenTree {
    let mut group = Group::new(Delimiter::Parenthesis, tokens);
    group.set_span(last);
    TokenTree::Group(group)
}
