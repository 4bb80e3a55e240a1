use std::error::Error;
use std::fmt;

use crate::util::Shown;

/// Displays an error with its chain of sources, each once. Errors may be the user's: their code may panic, and
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
        let mut text = self.0.to_string();
        let mut source = self.0.source();
        for _ in 0..MOST {
            let Some(error) = source else { break };
            let cause = error.to_string();
            // Many errors show their source themselves.
            if !text.ends_with(&cause) {
                text.push_str(": ");
                text.push_str(&cause);
            }
            source = error.source();
        }
        f.write_str(&text)
    }
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
    }
}
