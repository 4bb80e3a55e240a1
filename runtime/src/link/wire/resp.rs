//! Finds the ends of RESP3 frames, and reads the elements of pushes.

/// Why no frame could be read.
pub(super) enum Stop {
    /// At least this many bytes are missing.
    Incomplete(usize),
    /// The bytes are not valid RESP3.
    Unknown,
}

pub(super) type Step<T> = Result<T, Stop>;

/// The length in bytes of the shortest frame: `_\r\n`.
const SHORTEST: usize = 3;

impl Stop {
    /// Adds to the missing bytes the minimum length of the `frames` that must follow.
    ///
    /// Without this, every read in the middle of a long array would scan the whole array again.
    pub(super) fn and_frames(self, frames: u64) -> Self {
        match self {
            Self::Incomplete(missing) => {
                let frames = usize::try_from(frames).unwrap_or(usize::MAX);
                Self::Incomplete(missing.saturating_add(frames.saturating_mul(SHORTEST)))
            }
            Self::Unknown => Self::Unknown,
        }
    }
}

/// A frame as an element of a push.
#[derive(Clone, Copy, Debug)]
pub(super) enum Element<'a> {
    Text(&'a [u8]),
    Int,
    Nil,
    /// The bytes of any other frame.
    Other(&'a [u8]),
}

/// Returns the bulk string at `at` and the start of the next element, or `None` if there is no bulk
/// string at `at`.
#[inline]
pub(super) fn bulk(bytes: &[u8], at: usize) -> Step<Option<(&[u8], usize)>> {
    if *bytes.get(at).ok_or(Stop::Incomplete(1))? != b'$' {
        return Ok(None);
    }
    let (length, start) = header(bytes, at)?;
    let Ok(length) = usize::try_from(length) else {
        return Ok(None);
    };
    let next = after_bulk(bytes, start, length)?;
    Ok(Some((&bytes[start..next - 2], next)))
}

/// Returns the bulk string at `at` and the start of the next element, if all of it is there and its length has
/// at most three digits. Most have. If this returns `None`, [`bulk`] finds out why.
#[inline]
pub(super) fn short_bulk(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let digit = |byte: u8| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then_some(usize::from(digit))
    };
    let [b'$', first, head @ ..] = bytes.get(at..at + 6)? else {
        return None;
    };
    let mut length = digit(*first)?;
    let start = match *head {
        [b'\r', b'\n', ..] => at + 4,
        [second, b'\r', b'\n', _] => {
            length = 10 * length + digit(second)?;
            at + 5
        }
        [second, third, b'\r', b'\n'] => {
            length = 100 * length + 10 * digit(second)? + digit(third)?;
            at + 6
        }
        _ => return None,
    };
    let (text, rest) = bytes.get(start..)?.split_at_checked(length)?;
    rest.starts_with(b"\r\n")
        .then_some((text, start + length + 2))
}

/// Returns the element at `at`, and the start of the next one.
pub(super) fn element(bytes: &[u8], at: usize) -> Step<(Element<'_>, usize)> {
    match bytes.get(at).ok_or(Stop::Incomplete(1))? {
        b'$' => {
            let (length, start) = header(bytes, at)?;
            let Ok(length) = usize::try_from(length) else {
                return Ok((Element::Nil, start));
            };
            let next = after_bulk(bytes, start, length)?;
            Ok((Element::Text(&bytes[start..next - 2]), next))
        }
        b'+' => {
            let next = line(bytes, at)?;
            Ok((Element::Text(&bytes[at + 1..next - 2]), next))
        }
        b':' => Ok((Element::Int, line(bytes, at)?)),
        b'_' => Ok((Element::Nil, line(bytes, at)?)),
        // The nulls of RESP2, which redis-rs accepts too.
        b'*' | b'~' if bytes.get(at + 1) == Some(&b'-') && header(bytes, at)?.0 < 0 => {
            Ok((Element::Nil, header(bytes, at)?.1))
        }
        _ => {
            let next = skip(bytes, at)?;
            Ok((Element::Other(&bytes[at..next]), next))
        }
    }
}

/// Returns the end of the frame at `at`, however deeply it is nested.
pub(super) fn skip(bytes: &[u8], at: usize) -> Step<usize> {
    skip_many(bytes, at, 1)
}

/// Returns the start of the frame that the attribute at `at` describes.
pub(super) fn skip_attribute(bytes: &[u8], at: usize) -> Step<usize> {
    let (pairs, next) = header(bytes, at)?;
    let pairs = u64::try_from(pairs).map_err(|_| Stop::Unknown)?;
    skip_many(bytes, next, pairs.saturating_mul(2))
}

fn skip_many(bytes: &[u8], mut at: usize, mut frames: u64) -> Step<usize> {
    while frames > 0 {
        frames -= 1;
        let (inner, next) = opened(bytes, at).map_err(|stop| stop.and_frames(frames))?;
        frames = frames.saturating_add(inner);
        at = next;
    }
    Ok(at)
}

/// Returns the number of frames inside the frame at `at`, and the start of the first of them.
fn opened(bytes: &[u8], at: usize) -> Step<(u64, usize)> {
    Ok(match bytes.get(at).ok_or(Stop::Incomplete(1))? {
        b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => (0, line(bytes, at)?),
        b'$' | b'!' | b'=' => {
            let (length, start) = header(bytes, at)?;
            match usize::try_from(length) {
                Ok(length) => (0, after_bulk(bytes, start, length)?),
                Err(_) => (0, start),
            }
        }
        kind @ (b'*' | b'~' | b'>' | b'%' | b'|') => {
            let (count, next) = header(bytes, at)?;
            let count = u64::try_from(count).unwrap_or(0);
            let inner = match kind {
                b'%' => count.saturating_mul(2),
                // An attribute is followed by a frame, and does not count as one.
                b'|' => count.saturating_mul(2).saturating_add(1),
                _ => count,
            };
            (inner, next)
        }
        _ => return Err(Stop::Unknown),
    })
}

fn after_bulk(bytes: &[u8], start: usize, length: usize) -> Step<usize> {
    let end = start.checked_add(length).ok_or(Stop::Unknown)?;
    let next = end.checked_add(2).ok_or(Stop::Unknown)?;
    match bytes.get(end..next) {
        Some(b"\r\n") => Ok(next),
        Some(_) => Err(Stop::Unknown),
        None => Err(Stop::Incomplete(next - bytes.len())),
    }
}

/// Returns the number in the line at `at`, after the line's first byte, and the start of the next line.
#[inline]
pub(super) fn header(bytes: &[u8], at: usize) -> Step<(i64, usize)> {
    let line = bytes.get(at + 1..).ok_or(Stop::Incomplete(1))?;
    let (is_negative, digits) = match line.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, line),
    };
    let mut number: i64 = 0;
    for (count, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                number = number
                    .checked_mul(10)
                    .and_then(|number| number.checked_add(i64::from(byte - b'0')))
                    .ok_or(Stop::Unknown)?;
            }
            b'\r' if count > 0 => {
                let next = at + 1 + usize::from(is_negative) + count + 2;
                return match bytes.get(next - 1).ok_or(Stop::Incomplete(1))? {
                    b'\n' => Ok((if is_negative { -number } else { number }, next)),
                    _ => Err(Stop::Unknown),
                };
            }
            _ => return Err(Stop::Unknown),
        }
    }
    Err(Stop::Incomplete(1))
}

/// Returns the start of the line after the one at `at`.
fn line(bytes: &[u8], at: usize) -> Step<usize> {
    let rest = &bytes[at..];
    let end = rest.windows(2).position(|pair| pair == b"\r\n");
    end.map(|end| at + end + 2).ok_or(Stop::Incomplete(1))
}
