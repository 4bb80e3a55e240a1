//! Floating-point numbers, as the servers read and write them.

/// Parses a number. As in Valkey, it is decimal or infinite, and neither NaN nor too large.
pub(super) fn parse(text: &[u8]) -> Option<f64> {
    let text = str::from_utf8(text).ok()?;
    let number: f64 = text.parse().ok()?;
    let is_written_as_infinite = text.contains(['i', 'I']);
    (!number.is_nan() && number.is_infinite() == is_written_as_infinite).then_some(number)
}

/// Writes a number like the servers since Redis 7.2: with as many digits as are needed to read it back.
///
/// A port of `d2string` and of the formatting in `fpconv_dtoa`. About one number in a thousand gets another
/// last digit there, which is read back to the same number. Older servers write 17 digits.
pub(super) fn format(number: f64) -> String {
    // Larger numbers than half the range of an `i64` are not tried as integers.
    const LARGEST: f64 = (i64::MAX / 2) as f64;
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if number.fract() == 0.0 && number.abs() <= LARGEST {
        return (number as i64).to_string();
    }
    let shortest = format!("{:e}", number.abs());
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let digits = mantissa.replace('.', "");
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if number < 0.0 { "-" } else { "" };
    format!("{sign}{}", placed(&digits, exponent))
}

/// Places the point in `d.ddd * 10^exponent`.
fn placed(digits: &str, exponent: i32) -> String {
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    // The power of ten of the last digit.
    let last = exponent - (count - 1);
    if last >= 0 && exponent.abs() < count + 7 {
        return digits.to_owned() + &zeros(last);
    }
    if last < 0 && (last > -7 || exponent.abs() < 4) {
        return match usize::try_from(exponent) {
            Ok(exponent) => format!("{}.{}", &digits[..=exponent], &digits[exponent + 1..]),
            Err(_) => format!("0.{}{digits}", zeros(-exponent - 1)),
        };
    }
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{point}{rest}e{sign}{}", exponent.abs())
}

fn zeros(count: i32) -> String {
    "0".repeat(usize::try_from(count).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_servers_write_them() {
        for (number, text) in [
            (3.0, "3"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (0.00001, "0.00001"),
            (1e-7, "1e-7"),
            (123_456_789.123, "123456789.123"),
            (1_234_567.123_456_7, "1.2345671234567e+6"),
            (1e18, "1000000000000000000"),
            (1e20, "1e+20"),
            (123_456_789_012_345_680_000.0, "123456789012345680000"),
            (-1e300, "-1e+300"),
            (5e-324, "5e-324"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(format(number), text);
        }
    }

    #[test]
    fn only_numbers_are_read() {
        for (text, number) in [
            ("1.5", Some(1.5)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("+5", Some(5.0)),
            ("1e2", Some(100.0)),
            ("-inf", Some(f64::NEG_INFINITY)),
            ("Infinity", Some(f64::INFINITY)),
            ("1e400", None),
            ("nan", None),
            ("", None),
            (" 1", None),
            ("1_0", None),
            ("0x10", None),
        ] {
            assert_eq!(parse(text.as_bytes()), number, "{text:?}");
        }
    }
}
