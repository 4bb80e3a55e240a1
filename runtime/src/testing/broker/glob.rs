//! Glob matching with the rules of Redis, byte for byte.
//!
//! A port of the server's `stringmatchlen`, quirks included: an unclosed class ends with the
//! pattern, a range may run backwards, `[a-]` takes the bracket as the end of its range, and
//! only the empty pattern matches the empty name. Only the last star is ever retried, so the work is
//! bounded by the length of the pattern times that of the name, and there is no recursion.

use std::ffi::c_char;

/// Whether `name` matches the glob `pattern`.
pub(crate) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut retry = None;
    while p < pattern.len() && n < name.len() {
        if pattern[p] == b'*' {
            while pattern.get(p + 1) == Some(&b'*') {
                p += 1;
            }
            if p + 1 == pattern.len() {
                return true;
            }
            p += 1;
            retry = Some((p, n));
            continue;
        }
        if let Some(next) = step(pattern, p, name[n]) {
            (p, n) = (next, n + 1);
            if n == name.len() {
                while pattern.get(p) == Some(&b'*') {
                    p += 1;
                }
            }
            if n < name.len() && p < pattern.len() || n == name.len() && p == pattern.len() {
                continue;
            }
        }
        // A mismatch, or one of the two ended before the other: extend the last star by one byte.
        match &mut retry {
            Some((after_star, from)) if *from + 1 < name.len() => {
                *from += 1;
                (p, n) = (*after_star, *from);
            }
            _ => return false,
        }
    }
    p == pattern.len() && n == name.len()
}

/// Matches one byte against the element at `p`. Returns the start of the next element.
fn step(pattern: &[u8], p: usize, byte: u8) -> Option<usize> {
    match pattern[p] {
        b'?' => Some(p + 1),
        b'[' => class(pattern, p + 1, byte),
        b'\\' if p + 1 < pattern.len() => (pattern[p + 1] == byte).then_some(p + 2),
        literal => (literal == byte).then_some(p + 1),
    }
}

/// Matches one byte against the class whose opening bracket precedes `p`.
fn class(pattern: &[u8], mut p: usize, byte: u8) -> Option<usize> {
    let negated = pattern.get(p) == Some(&b'^');
    p += usize::from(negated);
    let mut found = false;
    loop {
        match &pattern[p..] {
            [] => break,
            [b'\\', escaped, ..] => {
                found |= *escaped == byte;
                p += 2;
            }
            [b']', ..] => {
                p += 1;
                break;
            }
            [start, b'-', end, ..] => {
                found |= in_range(*start, *end, byte);
                p += 3;
            }
            [one, ..] => {
                found |= *one == byte;
                p += 1;
            }
        }
    }
    (found != negated).then_some(p)
}

/// Whether a byte is in a range. The server compares plain C `char`s, which are signed on some
/// platforms.
fn in_range(start: u8, end: u8, byte: u8) -> bool {
    let (start, end, byte) = (start as c_char, end as c_char, byte as c_char);
    (start.min(end)..=start.max(end)).contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn agrees_with_the_server_on_its_quirks() {
        for (pattern, name, expected) in [
            ("", "", true),
            ("*", "", false),
            ("*", "a", true),
            ("**a*", "a", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abcdef", false),
            ("*ab", "aab", true),
            ("?", "", false),
            ("h[a-c]t", "hbt", true),
            ("h[c-a]t", "hbt", true),
            ("h[^a]t", "hat", false),
            ("h[^a]t", "hbt", true),
            ("[abc", "b", true),
            ("[^", "b", true),
            ("[", "[", false),
            ("[]a]", "a]", false),
            (r"[\]]", "]", true),
            (r"\*", "*", true),
            (r"\*", "a", false),
            ("\\", "\\", true),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern:?} and {name:?}"
            );
        }
    }

    #[test]
    fn many_stars_cost_no_more_than_pattern_times_name() {
        let pattern = "a*".repeat(10_000) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(20_000).as_bytes()));
    }
}
