//! Payloads, names and frames that are known to break parsers.

use std::iter::repeat_n;

/// Payloads, by name.
pub(crate) fn payloads() -> Vec<(&'static str, Vec<u8>)> {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(200), close.repeat(200));
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("empty", Vec::new()),
        ("zero byte", vec![0]),
        ("blanks", text("   \r\n\t ")),
        ("invalid UTF-8", vec![0xff, 0xfe, 0x80]),
        ("cut UTF-8", text("é")[..1].to_vec()),
        ("JSON arrays 200 levels deep", text(&deep("[", "]"))),
        ("JSON objects 200 levels deep", text(&deep("{\"a\":", "}"))),
        ("JSON 100,000 levels deep", text(&"[".repeat(100_000))),
        ("number beyond f64", text("1e999")),
        ("2^64", text("18446744073709551616")),
        ("number of 10,000 digits", text(&"9".repeat(10_000))),
        ("NaN", text("NaN")),
        ("infinity", text("-inf")),
        (
            "duplicate keys",
            text(r#"{"id":1,"id":2,"text":"a","bid":1.0,"bid":2.0}"#),
        ),
        ("byte order mark", text("\u{feff}{\"id\":1}")),
        ("trailing bytes", text(r#"{"id":1,"text":"a","bid":1.0} x"#)),
        (
            "lone surrogate",
            text(r#"{"id":1,"text":"\ud800","bid":1.0}"#),
        ),
        (
            "escaped zero",
            text(r#"{"id":1,"text":"\u0000","bid":1.0}"#),
        ),
        ("wrong type", text(r#"{"id":"one","text":1,"bid":"much"}"#)),
        ("missing field", text("{}")),
        ("null", text("null")),
        ("unended string", text(r#"{"text":"#)),
        (
            "invalid UTF-8 in a JSON string",
            b"{\"id\":1,\"text\":\"\xff\"}".to_vec(),
        ),
        ("a good one", text(r#"{"id":1,"text":"a","bid":1.0}"#)),
        (
            "RESP in the payload",
            text(">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n"),
        ),
        ("1 MB", repeat_n(b'x', 1 << 20).collect()),
    ]
}

/// Channel names with a prefix.
pub(crate) fn names(prefix: &str) -> Vec<Vec<u8>> {
    let with = |rest: &[u8]| [prefix.as_bytes(), rest].concat();
    vec![
        with(b""),
        with(b"a.b.c"),
        with(b"\xff\xfe"),
        with(b"\0"),
        with(b"line\r\nbreak \x1b[31mred"),
        with("rtl \u{202e}".as_bytes()),
        with(b"*?[]{}"),
        with(&b"x".repeat(1 << 20)),
    ]
}

/// Pushes that no server should send, by name.
pub(crate) fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let frame = |text: &str| text.replace(' ', "\r\n").into_bytes();
    vec![
        ("unknown kind", frame(">2 $7 tidings $1 x ")),
        ("no kind", frame(">1 _ ")),
        ("kind is a number", frame(">2 :1 $1 x ")),
        ("message without payload", frame(">2 $7 message $6 poison ")),
        (
            "message of four",
            frame(">4 $7 message $6 poison $1 x $1 y "),
        ),
        ("nil payload", frame(">3 $7 message $6 poison _ ")),
        ("nil bulk payload", frame(">3 $7 message $6 poison $-1 ")),
        (
            "payload is an array",
            frame(">3 $7 message $6 poison *1 $1 x "),
        ),
        ("payload is a number", frame(">3 $7 message $6 poison :7 ")),
        (
            "payload is a map",
            frame(">3 $7 message $6 poison %1 +a +b "),
        ),
        ("channel is nil", frame(">3 $7 message _ $1 x ")),
        ("pmessage of three", frame(">3 $8 pmessage $1 * $1 x ")),
        (
            "message without a handler",
            frame(">3 $7 message $7 unknown $1 x "),
        ),
        (
            "confirmation of an unknown name",
            frame(">3 $9 subscribe $7 unknown :1 "),
        ),
        (
            "confirmation without a count",
            frame(">2 $9 subscribe $6 poison "),
        ),
        (
            "unsubscribe of everything",
            frame(">3 $11 unsubscribe _ :0 "),
        ),
        (
            "unexpected unsubscribe",
            frame(">3 $11 unsubscribe $6 poison :0 "),
        ),
        ("invalidate of a number", frame(">2 $10 invalidate :1 ")),
        ("invalidate of all", frame(">2 $10 invalidate _ ")),
        (
            "invalidate of nested arrays",
            frame(">2 $10 invalidate *1 *1 *1 $1 a "),
        ),
        (
            "attribute before a push",
            frame("|1 +ttl :3600 >3 $7 message $6 poison $1 x "),
        ),
        (
            "verbatim string",
            frame(">3 $7 message $6 poison =5 txt:x "),
        ),
        ("blob error", frame(">3 $7 message $6 poison !5 ERR x ")),
        ("boolean and double", frame(">4 $7 tidings #t ,1.5 (123 ")),
        (
            "length of missing bytes",
            frame(">3 $7 message $6 poison $99999999 x "),
        ),
        ("not RESP", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
    ]
}

/// Changes a few bytes.
pub(crate) fn mutate(bytes: &[u8], rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(..=bytes.len());
        match rng.u8(..5) {
            0 => bytes.insert(at, rng.u8(..)),
            1 => bytes.truncate(at),
            2 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
            3 if at < bytes.len() => drop(bytes.remove(at)),
            _ => {
                let piece: Vec<_> = bytes[at..].iter().take(rng.usize(..32)).copied().collect();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}
