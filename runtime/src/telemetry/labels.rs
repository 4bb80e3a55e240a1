//! What is counted under which label.

use std::collections::BTreeMap;

/// How many labels are told apart.
pub(crate) const MOST_LABELS: usize = 1_000;

/// What everything else is counted under.
pub(crate) const OTHERS: &str = "others";

/// Returns the label under which `label` is counted: itself, or [`OTHERS`] if there are too many.
///
/// Labels are templates of the program, so there are few. But a program may make a template of a text of
/// its users, and counts are never forgotten.
pub(crate) fn one_of_bounded<'l, T>(known: &BTreeMap<String, T>, label: &'l str) -> &'l str {
    if known.len() < MOST_LABELS || known.contains_key(label) {
        label
    } else {
        OTHERS
    }
}
