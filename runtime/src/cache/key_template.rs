use std::fmt::{self, Display};

use redis_push_template::{SEPARATORS, Segment, parse};

use crate::error::{Error, Result};
use crate::util::Escaped;

/// The keys of a cache: a template with one param, such as `user:{id}`.
///
/// Within a cache, a key is identified by the text of its param.
#[derive(Debug)]
pub(super) struct KeyTemplate {
    text: Box<str>,
    /// The literal text before the param and after it.
    before: Box<str>,
    after: Box<str>,
    param: Box<str>,
    /// Whether the param takes separators too, as in `{id*}`.
    takes_rest: bool,
}

impl KeyTemplate {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let segments = parse(text).map_err(|error| {
            Error::config(format!("the keys of a cache: {error}")).caused_by(error)
        })?;
        let mut template = Self {
            text: text.into(),
            before: "".into(),
            after: "".into(),
            param: "".into(),
            takes_rest: false,
        };
        let mut params = 0;
        for segment in segments {
            match segment {
                Segment::Literal(literal) if params == 0 => template.before = (*literal).into(),
                Segment::Literal(literal) => template.after = (*literal).into(),
                Segment::Param(name) | Segment::Rest(name) if params == 1 => {
                    return Err(Error::config(format!(
                        "the keys of a cache have one param, and `{name}` is the second one in \
                         `{}`; one param can stand for both: `{{key*}}`",
                        text.escape_debug()
                    )));
                }
                Segment::Param(name) => {
                    params += 1;
                    template.param = (*name).into();
                }
                Segment::Rest(name) => {
                    params += 1;
                    template.param = (*name).into();
                    template.takes_rest = true;
                }
            }
        }
        if params == 0 {
            return Err(Error::config(format!(
                "the keys of a cache have a param, such as `{{id}}`, and there is none in `{}`",
                text.escape_debug()
            )));
        }
        Ok(template)
    }

    /// Returns the prefix of all keys.
    pub(super) fn prefix(&self) -> &str {
        &self.before
    }

    /// Returns the text of a param.
    ///
    /// # Errors
    ///
    /// Returns an error if no key has this text as its param.
    pub(super) fn param(&self, value: &(impl Display + ?Sized)) -> Result<String> {
        let text = value.to_string();
        let is_split = !self.takes_rest && text.contains(SEPARATORS);
        if !text.is_empty() && !is_split {
            return Ok(text);
        }
        let (shown, param) = (Escaped(text.as_bytes()), &self.param);
        let hint = if is_split {
            format!(" and has no `.`, `:` or `/`; `{{{param}*}}` takes them too")
        } else {
            String::new()
        };
        Err(Error::encode(format!(
            "`{shown}` is not a `{param}` of the keys `{self}`: a param is not empty{hint}"
        )))
    }

    /// Returns the key with a param.
    pub(super) fn key(&self, param: &str) -> String {
        [&self.before, param, &self.after].concat()
    }

    /// Returns the text of a key's param, if the key may be one of the cache.
    pub(super) fn param_of<'k>(&self, key: &'k [u8]) -> Option<&'k str> {
        let param = key.strip_prefix(self.before.as_bytes())?;
        let param = param.strip_suffix(self.after.as_bytes())?;
        // A param is text.
        std::str::from_utf8(param).ok()
    }
}

impl Display for KeyTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_of_its_param_and_split_into_it() {
        for (template, param, key) in [
            ("user:{id}", "7", "user:7"),
            ("{id}", "7", "7"),
            ("{{user}}:{id}:profile", "7", "{user}:7:profile"),
            ("file:{path*}", "a/b.txt", "file:a/b.txt"),
        ] {
            let template = KeyTemplate::parse(template).unwrap();
            assert_eq!(template.key(&template.param(param).unwrap()), key);
            assert_eq!(template.param_of(key.as_bytes()), Some(param));
        }
        let template = KeyTemplate::parse("user:{id}:profile").unwrap();
        assert_eq!(template.prefix(), "user:");
        for other in [&b"user:7"[..], b"user:profile", b"x", b"user:\xff:profile"] {
            assert_eq!(template.param_of(other), None);
        }
    }

    #[test]
    fn a_value_that_no_key_has_as_its_param_is_refused_with_a_hint() {
        let users = KeyTemplate::parse("user:{id}").unwrap();
        let error = users.param("a:b").unwrap_err();
        assert!(error.is_encode());
        assert_eq!(
            error.to_string(),
            "`a:b` is not a `id` of the keys `user:{id}`: a param is not empty and has no `.`, `:` \
             or `/`; `{id*}` takes them too"
        );
        assert!(users.param("").is_err());
        let files = KeyTemplate::parse("file:{path*}").unwrap();
        assert!(files.param("").is_err());
    }

    #[test]
    fn templates_without_exactly_one_param_are_refused() {
        for (template, expected) in [
            ("users", "there is none in `users`"),
            ("user:{tenant}:{id}", "`id` is the second one"),
            ("user:{id", "a `{` is not closed"),
        ] {
            let error = KeyTemplate::parse(template).unwrap_err();
            assert!(error.is_config());
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
