//! Finds the pushes among the frames of a stream.

use super::resp::{Element, Step, Stop, bulk, element, header, short_bulk, skip, skip_attribute};
use crate::push::Incoming;
use crate::subscription::Kind;

/// What is at the front of some bytes.
#[derive(Debug)]
pub(super) enum Scanned<'a> {
    /// A part of a frame. At least this many bytes are missing.
    Incomplete(usize),
    /// A push for the dispatcher alone, and its length in bytes.
    Lifted(Incoming<'a>, usize),
    /// A push for the dispatcher, and for redis-rs as a reply, and its length in bytes.
    Shared(Incoming<'a>, usize),
    /// The length in bytes of a frame for redis-rs alone.
    Other(usize),
    /// Bytes that this module does not accept as RESP3: the connection must end.
    Unknown,
}

/// Reads the frame at the front of `bytes`.
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

/// Reads a channel message in the form in which servers send it, which is the form of nearly every
/// frame. Returns `None` for anything else.
#[inline]
fn plain_message(bytes: &[u8]) -> Step<Option<Scanned<'_>>> {
    const HEAD: &[u8] = b">3\r\n$7\r\nmessage\r\n";
    if !bytes.starts_with(HEAD) {
        return Ok(None);
    }
    let Some((channel, next)) = short_or_long(bytes, HEAD.len())? else {
        return Ok(None);
    };
    let Some((payload, next)) = short_or_long(bytes, next)? else {
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

#[inline]
fn short_or_long(bytes: &[u8], at: usize) -> Step<Option<(&[u8], usize)>> {
    match short_bulk(bytes, at) {
        Some(text) => Ok(Some(text)),
        None => bulk(bytes, at),
    }
}

/// The largest number of elements of a known push.
const MAX_ELEMENTS: usize = 4;

/// Reads any frame.
fn frame(bytes: &[u8]) -> Step<Scanned<'_>> {
    // An attribute describes the frame after it. Only that frame counts.
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
    let mut elements = [Element::Nil; MAX_ELEMENTS];
    let count = usize::try_from(count).map_err(|_| Stop::Unknown)?;
    for index in 0..count {
        let rest = (count - index - 1) as u64;
        let (element, next) = element(bytes, at).map_err(|stop| stop.and_frames(rest))?;
        if let Some(slot) = elements.get_mut(index) {
            *slot = element;
        }
        at = next;
    }
    // A push with more elements is malformed, whatever its name is.
    let elements = &elements[..count.min(elements.len())];
    let Some((Element::Text(name), rest)) = elements.split_first() else {
        return Ok(Scanned::Other(at));
    };
    let is_too_long = count > MAX_ELEMENTS;
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

/// Reads the elements after the name of a push. Returns `None` if the push is unknown or malformed.
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
        [Text(name), Int] => Some(Incoming::Unsubscribed {
            kind,
            name,
            left: None,
        }),
        [Nil, Int] => Some(Incoming::Unsubscribed {
            kind,
            name: b"",
            left: None,
        }),
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
