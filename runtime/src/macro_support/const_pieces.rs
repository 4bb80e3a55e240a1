use redis_push_template::{Parser, Piece};

/// The pieces of a name that has been checked.
pub(super) struct Pieces {
    /// The pieces before those of the text.
    before: &'static [Piece<'static>],
    text: Source,
}

enum Source {
    Template(Parser<'static>),
    /// Text that has no template.
    Verbatim(&'static str),
    End,
}

impl Pieces {
    /// Returns the pieces of a template, and others before them.
    pub(super) const fn of(before: &'static [Piece<'static>], template: &'static str) -> Self {
        Self {
            before,
            text: Source::Template(Parser::new(template)),
        }
    }

    /// Returns one piece: literal text in which braces have no meaning.
    pub(super) const fn verbatim(text: &'static str) -> Self {
        Self {
            before: &[],
            text: Source::Verbatim(text),
        }
    }

    pub(super) const fn next(&mut self) -> Option<Piece<'static>> {
        if let [first, rest @ ..] = self.before {
            self.before = rest;
            return Some(*first);
        }
        match &mut self.text {
            Source::Template(parser) => match parser.next_piece() {
                Some(Ok(piece)) => Some(piece),
                _ => None,
            },
            Source::Verbatim(text) => {
                let piece = Piece::Literal(text);
                self.text = Source::End;
                Some(piece)
            }
            Source::End => None,
        }
    }
}

/// Returns how many bytes of the text are among `wanted`.
pub(super) const fn count_of(text: &str, wanted: &[u8]) -> usize {
    let mut count = 0;
    let mut rest = text.as_bytes();
    while let [byte, others @ ..] = rest {
        if is_any_of(*byte, wanted) {
            count += 1;
        }
        rest = others;
    }
    count
}

pub(super) const fn is_any_of(byte: u8, wanted: &[u8]) -> bool {
    let mut rest = wanted;
    while let [first, others @ ..] = rest {
        if byte == *first {
            return true;
        }
        rest = others;
    }
    false
}
