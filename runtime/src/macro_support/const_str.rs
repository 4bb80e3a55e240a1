//! String functions for `const` contexts, where strings can be neither compared nor formatted.

/// Returns whether `names` contains `wanted`.
pub(super) const fn contains(names: &[&str], wanted: &str) -> bool {
    let mut rest = names;
    while let [first, others @ ..] = rest {
        if same(first.as_bytes(), wanted.as_bytes()) {
            return true;
        }
        rest = others;
    }
    false
}

/// Returns whether two texts are equal.
pub(super) const fn same(mut one: &[u8], mut other: &[u8]) -> bool {
    while let ([a, one_rest @ ..], [b, other_rest @ ..]) = (one, other) {
        if *a != *b {
            return false;
        }
        (one, other) = (one_rest, other_rest);
    }
    one.is_empty() && other.is_empty()
}

/// Panics with the concatenation of the parts.
#[track_caller]
pub(super) const fn panic_with<const N: usize>(parts: [&str; N]) -> ! {
    let mut text = [0; 256];
    let mut end = 0;
    let mut part = 0;
    while part < parts.len() {
        let mut at = 0;
        while at < parts[part].len() && end < text.len() {
            text[end] = parts[part].as_bytes()[at];
            (at, end) = (at + 1, end + 1);
        }
        part += 1;
    }
    match std::str::from_utf8(text.split_at(end).0) {
        Ok(text) => panic!("{}", text),
        // A long name was cut in the middle of a character.
        Err(_) => panic!("{}", parts[0]),
    }
}
