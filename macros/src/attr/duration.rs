//! The value of `timeout`, `stall_limit` and `retry_delay`.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote};
use syn::LitStr;
use syn::parse::{Parse, ParseStream};

/// A span of time: a whole number and a unit, such as `"5s"`, `"250ms"`, `"2m"`.
pub(crate) struct Duration {
    pub(super) text: LitStr,
    millis: u64,
}

impl Parse for Duration {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let text: LitStr = input.parse()?;
        match millis(&text.value()) {
            Some(0) => Err(syn::Error::new(
                text.span(),
                "the time must be greater than zero",
            )),
            Some(millis) => Ok(Self { text, millis }),
            None => Err(syn::Error::new(text.span(), "expected a span of time")),
        }
    }
}

/// Returns `None` if the text is not a number with a unit.
fn millis(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim_start() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    number.checked_mul(factor)
}

impl ToTokens for Duration {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let mut millis = Literal::u64_suffixed(self.millis);
        // The compiler's errors about the value then point at the user's text.
        millis.set_span(self.text.span());
        tokens.extend(quote!(::core::time::Duration::from_millis(#millis)));
    }
}

#[cfg(test)]
mod tests {
    use super::millis;

    #[test]
    fn a_span_is_a_number_and_a_unit() {
        assert_eq!(millis("5s"), Some(5_000));
        assert_eq!(millis("250ms"), Some(250));
        assert_eq!(millis("2 m"), Some(120_000));
        assert_eq!(millis("1h"), Some(3_600_000));
        assert_eq!(millis("0s"), Some(0));
        for wrong in [
            "",
            "5",
            "s",
            "-1s",
            "1.5s",
            "5 days",
            "99999999999999999999s",
        ] {
            assert_eq!(millis(wrong), None, "{wrong}");
        }
    }
}
