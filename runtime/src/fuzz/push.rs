use redis::{PushInfo, PushKind, Value, VerbatimFormat};

use crate::link::{incoming, scanned};
use crate::push::RawPush;

/// Checks the conversion of a push of redis-rs, and that the wire link's scanner returns the same
/// push.
///
/// The bytes describe the push: its kind, then its values.
///
/// # Panics
///
/// Panics if the two differ, or if the `Debug` output of a push is not safe to log.
pub fn push(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let (name, kind) = kind(&mut bytes);
    let count = bytes.up_to(6);
    let push = PushInfo {
        kind,
        data: (0..count).map(|_| value(&mut bytes, 0)).collect(),
    };
    let raw = incoming(&push).to_raw();
    prints_safely(&raw);
    let Some(name) = name else {
        return assert_eq!(raw, RawPush::Disconnected);
    };
    let mut wire = Vec::new();
    head(&mut wire, '>', 1 + push.data.len());
    bulk(&mut wire, '$', name.as_bytes());
    push.data.iter().for_each(|value| encode(&mut wire, value));
    assert_eq!(scanned(&wire), Some((raw, wire.len())));
}

fn prints_safely(raw: &RawPush) {
    let printed = format!("{raw:?}");
    assert!(printed.len() < 1_000, "names are cut");
    assert!(!printed.contains(char::is_control), "names are escaped");
}

/// The rest of the input. At the end it yields zeros.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// Returns a number from 0 to `most`.
    fn up_to(&mut self, most: u8) -> usize {
        usize::from(self.next() % (most + 1))
    }

    /// Returns a text of up to 255 bytes.
    fn text(&mut self) -> &'b [u8] {
        let length = usize::from(self.next()).min(self.0.len());
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        text
    }

    /// Returns a text without line breaks.
    fn line(&mut self) -> String {
        String::from_utf8_lossy(self.text()).replace(['\r', '\n'], " ")
    }
}

/// Returns a kind and its name on the wire. The end of a connection has no name.
fn kind(bytes: &mut Bytes<'_>) -> (Option<String>, PushKind) {
    let (name, kind) = match bytes.next() % 16 {
        0 | 10 | 11 => ("message", PushKind::Message),
        1 | 12 => ("pmessage", PushKind::PMessage),
        2 => ("smessage", PushKind::SMessage),
        3 => ("subscribe", PushKind::Subscribe),
        4 => ("psubscribe", PushKind::PSubscribe),
        5 => ("ssubscribe", PushKind::SSubscribe),
        6 => ("unsubscribe", PushKind::Unsubscribe),
        7 => ("punsubscribe", PushKind::PUnsubscribe),
        8 => ("sunsubscribe", PushKind::SUnsubscribe),
        9 | 13 => ("invalidate", PushKind::Invalidate),
        14 => return (None, PushKind::Disconnection),
        _ => {
            // No other kind has a name that starts like this.
            let name = format!("~{}", bytes.line());
            return (Some(name.clone()), PushKind::Other(name));
        }
    };
    (Some(name.to_owned()), kind)
}

/// Returns a value that is nested at most three levels deep.
fn value(bytes: &mut Bytes<'_>, depth: usize) -> Value {
    let values = |bytes: &mut Bytes<'_>| {
        let count = if depth < 3 { bytes.up_to(3) } else { 0 };
        (0..count).map(|_| value(bytes, depth + 1)).collect()
    };
    let pairs = |bytes: &mut Bytes<'_>| {
        let flat: Vec<Value> = values(bytes);
        let pair = |pair: &[Value]| (pair[0].clone(), pair[1].clone());
        flat.chunks_exact(2).map(pair).collect()
    };
    match bytes.next() % 20 {
        0 => Value::Nil,
        1 => Value::Int(i64::from(bytes.next()) - 100),
        2 => match bytes.line() {
            ok if ok == "OK" => Value::Okay,
            line => Value::SimpleString(line),
        },
        3 => Value::Okay,
        4 => Value::Array(values(bytes)),
        5 => Value::Set(values(bytes)),
        6 => Value::Map(pairs(bytes)),
        7 => Value::Double(f64::from(bytes.next()) / 8.0),
        8 => Value::Boolean(bytes.next() > 127),
        9 => Value::VerbatimString {
            format: VerbatimFormat::Text,
            text: bytes.line(),
        },
        10 => Value::BigNumber(b"18446744073709551616".to_vec()),
        11 => Value::Attribute {
            attributes: pairs(bytes),
            data: Box::new(Value::BulkString(bytes.text().to_vec())),
        },
        12 => Value::Push {
            kind: PushKind::Other("~".to_owned()),
            data: values(bytes),
        },
        _ => Value::BulkString(bytes.text().to_vec()),
    }
}

/// Writes a value as the server would.
fn encode(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Nil => out.extend_from_slice(b"_\r\n"),
        Value::Okay => line(out, '+', "OK"),
        Value::Int(number) => line(out, ':', &number.to_string()),
        Value::Double(number) => line(out, ',', &number.to_string()),
        Value::Boolean(truth) => line(out, '#', if *truth { "t" } else { "f" }),
        Value::SimpleString(text) => line(out, '+', text),
        Value::BulkString(text) => bulk(out, '$', text),
        Value::BigNumber(digits) => line(out, '(', &String::from_utf8_lossy(digits)),
        Value::VerbatimString { text, .. } => bulk(out, '=', format!("txt:{text}").as_bytes()),
        Value::Array(values) => all(out, '*', values),
        Value::Set(values) => all(out, '~', values),
        Value::Map(pairs) => encode_pairs(out, '%', pairs),
        Value::Attribute { attributes, data } => {
            encode_pairs(out, '|', attributes);
            encode(out, data);
        }
        Value::Push { data, .. } => {
            head(out, '>', 1 + data.len());
            bulk(out, '$', b"~");
            data.iter().for_each(|value| encode(out, value));
        }
        other => unreachable!("`value` does not create {other:?}"),
    }
}

fn all(out: &mut Vec<u8>, sign: char, values: &[Value]) {
    head(out, sign, values.len());
    values.iter().for_each(|value| encode(out, value));
}

fn encode_pairs(out: &mut Vec<u8>, sign: char, pairs: &[(Value, Value)]) {
    head(out, sign, pairs.len());
    for (key, value) in pairs {
        encode(out, key);
        encode(out, value);
    }
}

fn bulk(out: &mut Vec<u8>, sign: char, text: &[u8]) {
    head(out, sign, text.len());
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

fn head(out: &mut Vec<u8>, sign: char, count: usize) {
    line(out, sign, &count.to_string());
}

fn line(out: &mut Vec<u8>, sign: char, text: &str) {
    out.extend_from_slice(format!("{sign}{text}\r\n").as_bytes());
}
