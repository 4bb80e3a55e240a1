//! Collects the errors of one macro call, and suggests the word that a misspelt one was meant to
//! be.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// The errors found so far. They are reported together, so that the user can fix all of them at
/// once.
#[derive(Default)]
pub(crate) struct Errors {
    found: Option<syn::Error>,
}

impl Errors {
    pub(crate) fn add(&mut self, error: syn::Error) {
        match &mut self.found {
            Some(found) => found.combine(error),
            None => self.found = Some(error),
        }
    }

    /// Adds an error with the caret at `span`.
    pub(crate) fn at(&mut self, span: Span, text: impl std::fmt::Display) {
        self.add(syn::Error::new(span, text));
    }

    /// Adds an error with the caret under all of `tokens`.
    pub(crate) fn on(&mut self, tokens: impl ToTokens, text: impl std::fmt::Display) {
        self.add(syn::Error::new_spanned(tokens, text));
    }

    /// Returns the value, or adds the error and returns `None`.
    pub(crate) fn handle<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_none()
    }

    /// Returns one `compile_error!` per error.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.found
            .map(syn::Error::into_compile_error)
            .unwrap_or_default()
    }
}

/// Returns the known word that is closest to `word`, if one is close enough to be a suggestion.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let is_close =
        |known: &str| edit_distance(word, known) <= word.len().max(known.len()).div_ceil(3);
    known
        .into_iter()
        .filter(|known| is_close(known))
        .min_by_key(|known| edit_distance(word, known))
}

/// Returns the Levenshtein distance: how many characters must be changed, inserted or deleted to
/// turn one word into the other.
fn edit_distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.chars().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[row.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_suggested_if_one_is_close() {
        let known = ["channel", "pattern", "shard", "buffer", "buffer_bytes"];
        assert_eq!(nearest("chanel", known), Some("channel"));
        assert_eq!(nearest("bufer", known), Some("buffer"));
        assert_eq!(nearest("buffer_size", known), Some("buffer_bytes"));
        assert_eq!(nearest("retries", known), None);
    }

    #[test]
    fn the_distance_counts_single_edits() {
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("same", "same"), 0);
    }
}
