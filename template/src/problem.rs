use std::error::Error;
use std::fmt;

/// Why a text is not a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem<'t> {
    /// What is wrong.
    pub kind: ProblemKind,
    /// The text between the braces that it is about; empty where it is not about a param.
    pub name: &'t str,
}

/// What is wrong with a text that is not a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The text is empty.
    Empty,
    /// A `{` has no `}`.
    Unclosed,
    /// A `}` has no `{`.
    Unopened,
    /// There is no literal text between two params.
    Adjacent,
    /// A name occurs twice.
    Twice,
    /// The text between the braces is not a name.
    NotAName,
    /// Something follows a param that takes the rest.
    RestNotLast,
}

impl<'t> Problem<'t> {
    /// Returns the sentence in three parts, because a `const` cannot format it.
    #[must_use]
    pub const fn parts(&self) -> [&'t str; 3] {
        match self.kind {
            ProblemKind::Empty => ["it is empty", "", ""],
            ProblemKind::Unclosed => ["a `{` is not closed; write `{{` for a brace", "", ""],
            ProblemKind::Unopened => ["a `}` was not opened; write `}}` for a brace", "", ""],
            ProblemKind::Adjacent => [
                "put literal text between `{",
                self.name,
                "}` and the param before it",
            ],
            ProblemKind::Twice => ["the param `{", self.name, "}` is there twice"],
            ProblemKind::NotAName => match self.name.as_bytes() {
                [b'r', b'#', _, ..] => [
                    "a param goes without the `r#`: `{",
                    self.name.split_at("r#".len()).1,
                    "}`",
                ],
                _ => ["`{", self.name, "}` is not a name for a param"],
            },
            ProblemKind::RestNotLast => [
                "`{",
                self.name,
                "}` takes the rest, so nothing can follow it",
            ],
        }
    }
}

impl fmt::Display for Problem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == ProblemKind::NotAName
            && let Some((name, ty)) = typed(self.name)
        {
            return write!(
                f,
                "write `{{{name}}}`; the type goes to the argument: `Param({name}): Param<{ty}>`"
            );
        }
        self.parts()
            .into_iter()
            .try_for_each(|part| f.write_str(part))
    }
}

impl Error for Problem<'_> {}

/// Returns the name and the type of a param that is written with its type, such as `id: u64`.
fn typed(written: &str) -> Option<(&str, &str)> {
    let (name, ty) = written.split_once(':')?;
    let (name, ty) = (name.trim(), ty.trim());
    let is_word = |text: &str| text.starts_with(|c: char| c.is_alphabetic() || c == '_');
    (is_word(name) && is_word(ty)).then_some((name, ty))
}
