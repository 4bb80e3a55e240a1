use std::error::Error;
use std::fmt::{self, Write};

use crate::util::Shown;

/// Displays an error with its chain of sources, without those that it shows itself. Errors may be the user's: their code may panic, and
/// the chain may never end.
pub(crate) struct WithCauses<'e>(pub(crate) &'e (dyn Error + 'static));

impl fmt::Display for WithCauses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown(Chain(self.0)).fmt(f)
    }
}

struct Chain<'e>(&'e (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 32;
        let mut shown = String::new();
        let mut next = Some(self.0);
        for _ in 0..=MOST {
            let Some(error) = next else { break };
            let mut text = String::new();
            write!(text, "{error}")?;
            // At once: the code of the next one may panic.
            if shown.is_empty() {
                f.write_str(&text)?;
                shown = text;
            } else if !shows(&shown, &text) {
                write!(f, ": {text}")?;
                shown = format!("{shown}: {text}");
            }
            next = error.source();
        }
        Ok(())
    }
}

/// Whether a text has another one as a part between colons. Many errors show their source themselves.
fn shows(text: &str, part: &str) -> bool {
    text == part || text.ends_with(&format!(": {part}")) || text.contains(&format!(": {part}: "))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// An error that shows its source, as many do.
    #[derive(Debug)]
    struct Showing(io::Error);

    impl fmt::Display for Showing {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "no order: {}", self.0)
        }
    }

    impl Error for Showing {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_cause_that_the_error_shows_itself_is_not_shown_again() {
        let error = Showing(io::Error::other("a broken pipe"));
        assert_eq!(WithCauses(&error).to_string(), "no order: a broken pipe");
        let error = crate::Rejection::caused_by("rejected", error);
        let text = WithCauses(&error).to_string();
        assert_eq!(text, "rejected: no order: a broken pipe");
        let error = Showing(io::Error::other(Showing(io::Error::other("x"))));
        assert_eq!(WithCauses(&error).to_string(), "no order: no order: x");
        assert!(!shows("no order", "order") && !shows("no order: 10", "0"));
    }

    /// An error whose source does not say what it is.
    #[derive(Debug)]
    struct Wraps(Speechless);

    impl fmt::Display for Wraps {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("no order")
        }
    }

    impl Error for Wraps {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[derive(Debug)]
    enum Speechless {
        Panics,
        Fails,
    }

    impl fmt::Display for Speechless {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self {
                Self::Panics => panic!("no words"),
                Self::Fails => Err(fmt::Error),
            }
        }
    }

    impl Error for Speechless {}

    #[test]
    fn what_comes_before_a_cause_that_cannot_be_shown_is_shown() {
        for (cause, expected) in [
            (
                Speechless::Panics,
                "no order (its text ends here: `Display` panicked)",
            ),
            (
                Speechless::Fails,
                "no order (its text ends here: `Display` returned an error)",
            ),
        ] {
            assert_eq!(WithCauses(&Wraps(cause)).to_string(), expected);
        }
    }
}
