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
    let mut text = Text::new();
    let mut rest: &[&str] = &parts;
    while let [part, others @ ..] = rest {
        text.push(part);
        rest = others;
    }
    text.panic()
}

/// The text of a panic that is put together in a `const`. What is too long is cut off.
pub(super) struct Text {
    bytes: [u8; 512],
    end: usize,
}

impl Text {
    pub(super) const fn new() -> Self {
        Self {
            bytes: [0; 512],
            end: 0,
        }
    }

    /// Appends the part, or as many of its characters as there is room for.
    pub(super) const fn push(&mut self, part: &str) {
        let mut len = part.len();
        if len > self.bytes.len() - self.end {
            len = self.bytes.len() - self.end;
            while !part.is_char_boundary(len) {
                len -= 1;
            }
        }
        let mut at = 0;
        while at < len {
            self.bytes[self.end + at] = part.as_bytes()[at];
            at += 1;
        }
        self.end += len;
    }

    #[track_caller]
    pub(super) const fn panic(&self) -> ! {
        match std::str::from_utf8(self.bytes.split_at(self.end).0) {
            Ok(text) => panic!("{}", text),
            Err(_) => unreachable!(),
        }
    }
}
