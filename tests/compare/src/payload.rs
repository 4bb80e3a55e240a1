//! The message that every peer decodes: a JSON object of five fields.

use std::io::Write;

use serde::Deserialize;

/// The message with owned strings.
#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "decoded for the cost of it")]
pub(crate) struct Quote {
    pub(crate) symbol: String,
    pub(crate) venue: String,
    pub(crate) bid: f64,
    pub(crate) ask: f64,
    /// The message's number, or the time of sending in nanoseconds of the monotonic clock.
    pub(crate) at: u64,
}

/// The message with strings that borrow from the received bytes.
#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "decoded for the cost of it")]
pub(crate) struct QuoteRef<'a> {
    pub(crate) symbol: &'a str,
    pub(crate) venue: &'a str,
    pub(crate) bid: f64,
    pub(crate) ask: f64,
    pub(crate) at: u64,
}

/// The size of a message in all workloads but W7.
pub(crate) const SMALL: usize = 100;

/// Writes the message `at` with `size` bytes. The last number is padded with blanks to a fixed
/// length.
pub(crate) fn write(out: &mut Vec<u8>, at: u64, size: usize) {
    const WITHOUT_VENUE: usize = 80;
    const VENUE: &str = "XETR-FRANKFURT-";
    let symbol = at % 10_000;
    let length = size.saturating_sub(WITHOUT_VENUE);
    let venue = &VENUE.repeat(length / VENUE.len() + 1)[..length];
    write!(
        out,
        r#"{{"symbol":"ACME{symbol:04}","venue":"{venue}","bid":101.25,"ask":101.27,"at":{at:>16}}}"#
    )
    .expect("a Vec takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_size_asked_for_and_decodes() {
        for size in [SMALL, 64 * 1024] {
            let mut bytes = Vec::new();
            write(&mut bytes, 1_234_567, size);
            assert_eq!(bytes.len(), size);
            assert_eq!(
                serde_json::from_slice::<Quote>(&bytes).unwrap().at,
                1_234_567
            );
        }
    }
}
