//! Spans of generated tokens. rustc draws the carets of its errors from them.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::ToTokens;

/// Returns the spans of the first and the last token, so that a caret can cover all of them.
pub(crate) fn ends(tokens: impl ToTokens) -> (Span, Span) {
    let mut spans = tokens
        .into_token_stream()
        .into_iter()
        .map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (located_at(first), located_at(spans.last().unwrap_or(first)))
}

/// Returns a span with the user's location and the macro's hygiene.
///
/// The compiler treats tokens with such a span as macro output, so the lints of the user's crate
/// skip them.
pub(crate) fn located_at(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// Puts the tokens in parentheses that have the span of `last`.
///
/// A caret that starts before the parentheses then extends to `last`.
pub(crate) fn parenthesized(tokens: TokenStream, last: Span) -> TokenTree {
    let mut group = Group::new(Delimiter::Parenthesis, tokens);
    group.set_span(last);
    TokenTree::Group(group)
}

/// Moves the tokens to `span`; tokens inside brackets keep their own.
pub(crate) fn respanned(tokens: TokenStream, span: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            token.set_span(span);
            token
        })
        .collect()
}
