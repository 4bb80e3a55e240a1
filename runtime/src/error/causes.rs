use std::error::Error;
use std::fmt;

use crate::util::Shown;

/// Displays an error with its chain of sources. Errors may be the user's: their code may panic, and
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
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        for _ in 0..MOST {
            let Some(error) = source else { break };
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
