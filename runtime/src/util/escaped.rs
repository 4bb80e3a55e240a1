use std::fmt::{self, Write as _};

/// A name from the network, made safe to print: escaped, and cut after 128 bytes.
pub(crate) struct Escaped<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, true)
    }
}

impl Escaped<'_> {
    /// Writes the text. Quotes are escaped unless `keeps_quotes`.
    fn write(&self, f: &mut fmt::Formatter<'_>, keeps_quotes: bool) -> fmt::Result {
        const MAX: usize = 128;
        let cut = &self.0[..self.0.len().min(MAX)];
        for byte in cut {
            match byte {
                b'"' | b'\'' if keeps_quotes => f.write_char(char::from(*byte))?,
                byte => write!(f, "{}", byte.escape_ascii())?,
            }
        }
        match self.0.len() - cut.len() {
            0 => Ok(()),
            more => write!(f, "… ({more} more bytes)"),
        }
    }
}

impl fmt::Debug for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        self.write(f, false)?;
        f.write_char('"')
    }
}

/// A key for `Debug`: text if it is UTF-8, else bytes, and escaped in either case.
pub(crate) struct TextOrBytes<'a>(pub(crate) &'a [u8]);

impl fmt::Debug for TextOrBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(self.0) {
            Ok(text) => write!(f, "{text:?}"),
            Err(_) => write!(f, "b\"{}\"", self.0.escape_ascii()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_quotes_keeps_those_that_it_has() {
        let said = Escaped(b"the 'get' command \n");
        assert_eq!(said.to_string(), "the 'get' command \\n");
        assert_eq!(format!("{said:?}"), r#""the \'get\' command \n""#);
    }

    #[test]
    fn a_key_is_shown_as_text_if_it_is_text() {
        let shown = |key: &[u8]| format!("{:?}", TextOrBytes(key));
        assert_eq!(shown("user:é\n".as_bytes()), r#""user:é\n""#);
        assert_eq!(shown(b"a\xff\""), r#"b"a\xff\"""#);
    }
}
