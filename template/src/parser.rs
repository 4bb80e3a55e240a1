use crate::problem::{Problem, ProblemKind};

/// A piece of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Literal text. A doubled brace ends a piece after its first brace, so adjacent literals
    /// belong together.
    Literal(&'t str),
    /// The name of a param.
    Param(&'t str),
    /// The name of a param that takes the rest.
    Rest(&'t str),
}

/// An iterator over the pieces of a template. It ends with a [`Problem`] if the text is not a
/// template.
///
/// The pieces are slices of the text, so the parser does not allocate and runs in a `const`. There,
/// [`next_piece`](Self::next_piece) replaces the iterator.
///
/// A `const` cannot distinguish letters from other characters outside of ASCII, so
/// [`next_piece`](Self::next_piece) accepts all of them in a name. The iterator checks them.
#[derive(Clone, Debug)]
pub struct Parser<'t> {
    text: &'t str,
    /// Where the next piece begins.
    at: usize,
    /// What the previous piece was.
    last: Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Nothing,
    Literal,
    Param,
    /// The template has ended, or a problem was found.
    End,
}

impl<'t> Parser<'t> {
    /// Creates a parser at the beginning of a template.
    #[must_use]
    pub const fn new(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            last: Last::Nothing,
        }
    }

    /// Returns the next piece; `None` after the last one, and after a problem.
    ///
    /// # Errors
    ///
    /// When the text is not a template.
    pub const fn next_piece(&mut self) -> Option<Result<Piece<'t>, Problem<'t>>> {
        let bytes = self.text.as_bytes();
        if matches!(self.last, Last::End) {
            return None;
        }
        if self.at == bytes.len() {
            return match self.last {
                Last::Nothing => Some(Err(self.fail(ProblemKind::Empty, ""))),
                _ => {
                    self.last = Last::End;
                    None
                }
            };
        }
        let is_doubled = self.at + 1 < bytes.len() && bytes[self.at] == bytes[self.at + 1];
        match bytes[self.at] {
            b'{' if !is_doubled => Some(self.param()),
            b'}' if !is_doubled => Some(Err(self.fail(ProblemKind::Unopened, ""))),
            _ => Some(Ok(self.literal())),
        }
    }

    /// Parses literal text up to the next brace. If that brace is doubled, the first of the two is
    /// included.
    const fn literal(&mut self) -> Piece<'t> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut end = start;
        while end < bytes.len() && !is_brace(bytes[end]) {
            end += 1;
        }
        self.at = end;
        // A doubled brace: the first one belongs to this piece, the second one is skipped.
        if end + 1 < bytes.len() && is_brace(bytes[end]) && bytes[end] == bytes[end + 1] {
            end += 1;
            self.at = end + 1;
        }
        self.last = Last::Literal;
        Piece::Literal(slice(self.text, start, end))
    }

    /// Parses a param, from its opening to its closing brace.
    const fn param(&mut self) -> Result<Piece<'t>, Problem<'t>> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let mut end = start;
        while end < bytes.len() && bytes[end] != b'}' {
            end += 1;
        }
        if end == bytes.len() {
            return Err(self.fail(ProblemKind::Unclosed, ""));
        }
        let written = slice(self.text, start, end);
        if matches!(self.last, Last::Param) {
            return Err(self.fail(ProblemKind::Adjacent, written));
        }
        let takes_rest = end > start && bytes[end - 1] == b'*';
        let name = if takes_rest {
            slice(self.text, start, end - 1)
        } else {
            written
        };
        if !may_be_name(name.as_bytes()) {
            return Err(self.fail(ProblemKind::NotAName, written));
        }
        if takes_rest && end + 1 < bytes.len() {
            return Err(self.fail(ProblemKind::RestNotLast, written));
        }
        if self.has_before(name) {
            return Err(self.fail(ProblemKind::Twice, written));
        }
        self.at = end + 1;
        self.last = Last::Param;
        if takes_rest {
            Ok(Piece::Rest(name))
        } else {
            Ok(Piece::Param(name))
        }
    }

    /// Returns whether an earlier param has the name.
    const fn has_before(&self, name: &str) -> bool {
        let mut before = Parser::new(self.text);
        // `step_over` does not look for earlier params, so this does not recurse.
        while before.at < self.at {
            match before.step_over() {
                Some(earlier) if equal(earlier.as_bytes(), name.as_bytes()) => return true,
                _ => {}
            }
        }
        false
    }

    /// Skips one piece that is known to be valid, and returns its name if it is a param.
    const fn step_over(&mut self) -> Option<&'t str> {
        let bytes = self.text.as_bytes();
        let is_doubled = self.at + 1 < bytes.len() && bytes[self.at] == bytes[self.at + 1];
        if bytes[self.at] != b'{' || is_doubled {
            let _ = self.literal();
            return None;
        }
        let start = self.at + 1;
        while bytes[self.at] != b'}' {
            self.at += 1;
        }
        self.at += 1;
        Some(slice(self.text, start, self.at - 1))
    }

    const fn fail(&mut self, kind: ProblemKind, name: &'t str) -> Problem<'t> {
        self.last = Last::End;
        Problem { kind, name }
    }
}

impl<'t> Iterator for Parser<'t> {
    type Item = Result<Piece<'t>, Problem<'t>>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.next_piece()?;
        Some(piece.and_then(|piece| match piece {
            Piece::Param(name) | Piece::Rest(name) if !is_name(name) => {
                let written = match piece {
                    // With the star after the name.
                    Piece::Rest(name) => &self.text[self.at - name.len() - 2..self.at - 1],
                    _ => name,
                };
                Err(self.fail(ProblemKind::NotAName, written))
            }
            _ => Ok(piece),
        }))
    }
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    let starts_well = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_');
    starts_well && chars.all(|c| c.is_alphanumeric() || c == '_')
}

/// Like [`is_name`], but accepts every character outside of ASCII.
const fn may_be_name(name: &[u8]) -> bool {
    let mut rest = name;
    while let [byte, others @ ..] = rest {
        let is_first = rest.len() == name.len();
        let fits = match *byte {
            b'_' | b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => true,
            b'0'..=b'9' => !is_first,
            _ => false,
        };
        if !fits {
            return false;
        }
        rest = others;
    }
    !name.is_empty()
}

const fn is_brace(byte: u8) -> bool {
    matches!(byte, b'{' | b'}')
}

const fn equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Returns the text between two positions, each at an end of the text or next to an ASCII
/// character.
const fn slice(text: &str, start: usize, end: usize) -> &str {
    text.split_at(end).0.split_at(start).1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Piece<'_>>, String> {
        let pieces: Result<_, _> = Parser::new(text).collect();
        pieces.map_err(|problem| problem.to_string())
    }

    #[test]
    fn pieces_are_yielded_in_their_order() {
        use Piece::{Literal, Param, Rest};
        for (text, expected) in [
            ("plain", &[Literal("plain")][..]),
            ("quotes.{symbol}", &[Literal("quotes."), Param("symbol")]),
            ("{a}.{b*}", &[Param("a"), Literal("."), Rest("b")]),
            (
                "{{tag}}.{x}",
                &[Literal("{"), Literal("tag}"), Literal("."), Param("x")],
            ),
            ("{{}}", &[Literal("{"), Literal("}")]),
            ("é.{ä}.ß", &[Literal("é."), Param("ä"), Literal(".ß")]),
            ("a{{{b}", &[Literal("a{"), Param("b")]),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn each_problem_has_its_sentence() {
        for (text, expected) in [
            ("", "it is empty"),
            ("a{b", "a `{` is not closed; write `{{` for a brace"),
            ("a}b", "a `}` was not opened; write `}}` for a brace"),
            (
                "{a}{b}",
                "put literal text between `{b}` and the param before it",
            ),
            ("{a}.{a}", "the param `{a}` is there twice"),
            ("{a}.{a*}", "the param `{a*}` is there twice"),
            ("{a b}", "`{a b}` is not a name for a param"),
            ("{}", "`{}` is not a name for a param"),
            ("{*}", "`{*}` is not a name for a param"),
            ("{1}", "`{1}` is not a name for a param"),
            ("x.{a—b*}", "`{a—b*}` is not a name for a param"),
            ("{r#type}", "a param goes without the `r#`: `{type}`"),
            ("{a*}.b", "`{a*}` takes the rest, so nothing can follow it"),
        ] {
            assert_eq!(parse(text), Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_const_reads_a_template_and_its_problems() {
        const fn count(text: &str) -> Result<usize, ProblemKind> {
            let mut parser = Parser::new(text);
            let mut count = 0;
            while let Some(piece) = parser.next_piece() {
                match piece {
                    Ok(_) => count += 1,
                    Err(problem) => return Err(problem.kind),
                }
            }
            Ok(count)
        }
        const GOOD: Result<usize, ProblemKind> = count("a.{x}.b.{y*}");
        const BAD: Result<usize, ProblemKind> = count("{a}.{a}");
        assert_eq!((GOOD, BAD), (Ok(4), Err(ProblemKind::Twice)));
    }

    #[test]
    fn nothing_follows_a_problem() {
        let mut parser = Parser::new("{a}{b}.c");
        assert_eq!(parser.next(), Some(Ok(Piece::Param("a"))));
        assert!(parser.next().is_some_and(|piece| piece.is_err()));
        assert_eq!(parser.next(), None);
        assert_eq!(parser.next_piece(), None);
    }
}
