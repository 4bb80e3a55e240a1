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

impl fmt::Display for Problem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name } = self;
        match kind {
            ProblemKind::Empty => write!(f, "it is empty"),
            ProblemKind::Unclosed => write!(f, "a `{{` is not closed; write `{{{{` for a brace"),
            ProblemKind::Unopened => write!(f, "a `}}` was not opened; write `}}}}` for a brace"),
            ProblemKind::Adjacent => write!(
                f,
                "put literal text between `{{{name}}}` and the param before it"
            ),
            ProblemKind::Twice => write!(f, "the param `{{{name}}}` is there twice"),
            ProblemKind::NotAName => match name.strip_prefix("r#") {
                Some(plain) if !plain.is_empty() => {
                    write!(f, "a param goes without the `r#`: `{{{plain}}}`")
                }
                _ => match typed(name) {
                    Some((name, ty)) => write!(
                        f,
                        "write `{{{name}}}`; the type goes to the argument: `Param({name}): \
                         Param<{ty}>`"
                    ),
                    None => write!(f, "`{{{name}}}` is not a name for a param"),
                },
            },
            ProblemKind::RestNotLast => {
                write!(f, "`{{{name}}}` takes the rest, so nothing can follow it")
            }
        }
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
