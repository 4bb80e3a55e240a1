//! Finds frames in a stream of RESP3, and reads those that are pushes.

use crate::raw::Incoming;
use crate::subscription::Kind;

/// What stands at the front of some bytes.
#[derive(Debug)]
pub(super) enum Scanned<'a> {
    /// A frame that is not all there yet: at least so many bytes are missing.
    Incomplete(usize),
    /// A push that is for the feed alone, of so many bytes.
    Lifted(Incoming<'a>, usize),
    /// A push that is for the feed, and for redis-rs as a reply.
    Shared(Incoming<'a>, usize),
    /// A frame for redis-rs alone.
    Other(usize),
    /// No RESP3, as far as this is concerned: the connection cannot go on.
    Unknown,
}

/// Why there is no frame.
enum Stop {
    /// At least so many bytes are missing.
    Incomplete(usize),
    Unknown,
}

type Step<T> = Result<T, Stop>;

/// The bytes of the shortest frame there is: `_\r\n`.
const SHORTEST: usize = 3;

impl Stop {
    /// Counts the frames that are to come behind the one that this is about.
    ///
    /// Without that, each read in the middle of an array of many would be a scan of all of it.
    fn before(self, frames: u64) -> Self {
        match self {
            Self::Incomplete(missing) => {
                let frames = usize::try_from(frames).unwrap_or(usize::MAX);
                Self::Incomplete(missing.saturating_add(frames.saturating_mul(SHORTEST)))
            }
            Self::Unknown => Self::Unknown,
        }
    }
}

/// An element of a push.
#[derive(Clone, Copy, Debug)]
enum Element<'a> {
    Text(&'a [u8]),
    Int,
    Nil,
    /// Any other, by its bytes.
    Other(&'a [u8]),
}

/// Looks at the frame that starts with the first of `bytes`.
pub(super) fn scan(bytes: &[u8]) -> Scanned<'_> {
    let read = match plain_message(bytes) {
        Ok(Some(message)) => return message,
        Ok(None) => frame(bytes),
        Err(stop) => Err(stop),
    };
    match read {
        Ok(scanned) => scanned,
        Err(Stop::Incomplete(missing)) => Scanned::Incomplete(missing),
        Err(Stop::Unknown) => Scanned::Unknown,
    }
}

/// Reads a message of a channel in the one form in which servers send it, which nearly every frame
/// has: `None` for anything else.
#[inline]
fn plain_message(bytes: &[u8]) -> Step<Option<Scanned<'_>>> {
    const HEAD: &[u8] = b">3\r\n$7\r\nmessage\r\n";
    if !bytes.starts_with(HEAD) {
        return Ok(None);
    }
    let Some((channel, next)) = bulk(bytes, HEAD.len())? else {
        return Ok(None);
    };
    let Some((payload, next)) = bulk(bytes, next)? else {
        return Ok(None);
    };
    let message = Incoming::Message {
        kind: Kind::Channel,
        name: channel,
        channel,
        payload,
    };
    Ok(Some(Scanned::Lifted(message, next)))
}

/// The bulk string that starts at `at`, if one does, and where the next element begins.
#[inline]
fn bulk(bytes: &[u8], at: usize) -> Step<Option<(&[u8], usize)>> {
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

fn frame(bytes: &[u8]) -> Step<Scanned<'_>> {
    // An attribute says something about the frame behind it, which is what counts.
    let mut start = 0;
    while bytes.get(start) == Some(&b'|') {
        start = skip_attribute(bytes, start)?;
    }
    if bytes.get(start) != Some(&b'>') {
        return skip(bytes, start).map(Scanned::Other);
    }
    let (count, mut at) = header(bytes, start)?;
    if count <= 0 {
        return Ok(Scanned::Shared(Incoming::Unknown { kind: "" }, at));
    }
    // No push that is known here has more elements.
    let mut elements = [Element::Nil; 4];
    let count = usize::try_from(count).map_err(|_| Stop::Unknown)?;
    for index in 0..count {
        let rest = (count - index - 1) as u64;
        let (element, next) = element(bytes, at).map_err(|stop| stop.before(rest))?;
        if let Some(place) = elements.get_mut(index) {
            *place = element;
        }
        at = next;
    }
    // With too many it is not formed so, of whatever kind it claims to be.
    let elements = &elements[..count.min(elements.len())];
    let Some((Element::Text(name), rest)) = elements.split_first() else {
        return Ok(Scanned::Other(at));
    };
    let is_too_long = count > 4;
    Ok(match push(name, rest).filter(|_| !is_too_long) {
        Some(push @ (Incoming::Subscribed { .. } | Incoming::Unsubscribed { .. })) => {
            Scanned::Shared(push, at)
        }
        Some(push) => Scanned::Lifted(push, at),
        None => match str::from_utf8(name) {
            Ok(kind) if is_known(name) => Scanned::Shared(Incoming::Malformed { kind }, at),
            Ok(kind) => Scanned::Shared(Incoming::Unknown { kind }, at),
            Err(_) => Scanned::Shared(Incoming::Unknown { kind: "" }, at),
        },
    })
}

const KINDS: [&[u8]; 10] = [
    b"message",
    b"pmessage",
    b"smessage",
    b"subscribe",
    b"psubscribe",
    b"ssubscribe",
    b"unsubscribe",
    b"punsubscribe",
    b"sunsubscribe",
    b"invalidate",
];

fn is_known(name: &[u8]) -> bool {
    KINDS.contains(&name)
}

/// Reads the elements behind the name of a push; `None` when they are not of a known form.
fn push<'a>(name: &[u8], rest: &[Element<'a>]) -> Option<Incoming<'a>> {
    use Element::{Int, Nil, Other, Text};
    let message = |kind| match *rest {
        [Text(channel), Text(payload)] => Some(Incoming::Message {
            kind,
            name: channel,
            channel,
            payload,
        }),
        _ => None,
    };
    let subscribed = |kind| match *rest {
        [Text(name), Int] => Some(Incoming::Subscribed { kind, name }),
        _ => None,
    };
    let unsubscribed = |kind| match *rest {
        [Text(name), Int] => Some(Incoming::Unsubscribed { kind, name }),
        [Nil, Int] => Some(Incoming::Unsubscribed { kind, name: b"" }),
        _ => None,
    };
    match name {
        b"message" => message(Kind::Channel),
        b"smessage" => message(Kind::Shard),
        b"pmessage" => match *rest {
            [Text(name), Text(channel), Text(payload)] => Some(Incoming::Message {
                kind: Kind::Pattern,
                name,
                channel,
                payload,
            }),
            _ => None,
        },
        b"subscribe" => subscribed(Kind::Channel),
        b"psubscribe" => subscribed(Kind::Pattern),
        b"ssubscribe" => subscribed(Kind::Shard),
        b"unsubscribe" => unsubscribed(Kind::Channel),
        b"punsubscribe" => unsubscribed(Kind::Pattern),
        b"sunsubscribe" => unsubscribed(Kind::Shard),
        b"invalidate" => match *rest {
            [Nil] => Some(Incoming::Invalidated(None)),
            [Other(keys)] => array_of_texts(keys).map(|keys| Incoming::Invalidated(Some(keys))),
            _ => None,
        },
        _ => None,
    }
}

fn array_of_texts(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    if bytes.first() != Some(&b'*') {
        return None;
    }
    let (count, mut at) = header(bytes, 0).ok()?;
    let mut texts = Vec::new();
    for _ in 0..count {
        let (Element::Text(text), next) = element(bytes, at).ok()? else {
            return None;
        };
        texts.push(text);
        at = next;
    }
    Some(texts)
}

fn element(bytes: &[u8], at: usize) -> Step<(Element<'_>, usize)> {
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
        // The nulls of RESP2, which redis-rs reads as well.
        b'*' | b'~' if bytes.get(at + 1) == Some(&b'-') && header(bytes, at)?.0 < 0 => {
            Ok((Element::Nil, header(bytes, at)?.1))
        }
        _ => {
            let next = skip(bytes, at)?;
            Ok((Element::Other(&bytes[at..next]), next))
        }
    }
}

/// The end of the frame that starts at `at`, however deep it is nested.
fn skip(bytes: &[u8], at: usize) -> Step<usize> {
    skip_many(bytes, at, 1)
}

fn skip_attribute(bytes: &[u8], at: usize) -> Step<usize> {
    let (pairs, next) = header(bytes, at)?;
    let pairs = u64::try_from(pairs).map_err(|_| Stop::Unknown)?;
    skip_many(bytes, next, pairs.saturating_mul(2))
}

fn skip_many(bytes: &[u8], mut at: usize, mut frames: u64) -> Step<usize> {
    while frames > 0 {
        frames -= 1;
        let (inner, next) = opened(bytes, at).map_err(|stop| stop.before(frames))?;
        frames = frames.saturating_add(inner);
        at = next;
    }
    Ok(at)
}

/// How many frames belong to the one that starts at `at`, and where the first of them begins.
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
                // An attribute stands before a frame and is none.
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

/// The number in the line that starts at `at`, behind its first byte, and where the next begins.
#[inline]
fn header(bytes: &[u8], at: usize) -> Step<(i64, usize)> {
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

/// Where the line behind the one at `at` begins.
fn line(bytes: &[u8], at: usize) -> Step<usize> {
    let rest = &bytes[at..];
    let end = rest.windows(2).position(|pair| pair == b"\r\n");
    end.map(|end| at + end + 2).ok_or(Stop::Incomplete(1))
}
