use redis_push::{BoxError, Codec, PushMessage};

#[derive(PushMessage)]
#[push(channel = "temperature", codec = text, trace)]
struct Temperature {
    celsius: f64,
}

#[derive(PushMessage)]
#[push(channel = "pictures", codec = bytes, trace)]
struct Picture {
    png: Vec<u8>,
}

enum Cbor {}

impl Codec for Cbor {
    fn decode<'p, T: serde::Deserialize<'p>>(_: &'p [u8]) -> Result<T, BoxError> {
        Err("not decoded".into())
    }

    fn encode<T: serde::Serialize>(_: &T) -> Result<Vec<u8>, BoxError> {
        Err("not encoded".into())
    }
}

#[derive(PushMessage)]
#[push(channel = "orders", codec = Cbor, trace)]
struct Order {
    id: u64,
}

#[derive(PushMessage)]
#[push(channel = "points", trace)]
struct Point(f64, f64);

#[derive(PushMessage)]
#[push(channel = "visits.{user}", trace)]
struct Visit {
    user: String,
}

#[derive(PushMessage)]
#[push(channel = "events", trace)]
enum Happened {
    Opened { by: String },
    Closed,
}

#[derive(PushMessage)]
#[push(channel = "wrapped", trace)]
#[serde(transparent)]
struct Wrapped {
    inner: Vec<u8>,
}

#[derive(PushMessage)]
#[push(channel = "parcels", trace)]
struct Parcel {
    id: u64,
    #[serde(rename = "traceparent")]
    context: String,
}

#[derive(PushMessage)]
#[push(channel = "bags", trace)]
struct Bag {
    #[serde(alias = "traceparent")]
    context: String,
}

#[derive(PushMessage)]
#[push(channel = "chests", trace)]
struct Chest {
    #[serde(rename(deserialize = "traceparent", serialize = "trace"))]
    context: String,
}

#[derive(PushMessage)]
#[push(channel = "doors", trace, tag = "traceparent")]
enum Door {
    Opened { by: String },
}

#[derive(PushMessage)]
#[push(channel = "letters", trace = true)]
struct Letter {
    id: u64,
}

#[derive(PushMessage)]
#[push(channel = "cards", traced)]
struct Card {
    id: u64,
}

fn main() {}
