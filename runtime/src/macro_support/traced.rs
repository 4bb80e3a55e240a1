//! Payloads that may begin with a trace context, which the message type does not see.

use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};

use super::Taken;
#[cfg(feature = "msgpack")]
use crate::error::Rejection;
use crate::extract::{JsonReader, read_json};
#[cfg(feature = "msgpack")]
use crate::extract::{MsgPackReader, read_msgpack};
use crate::push::Push;
#[cfg(feature = "msgpack")]
use crate::telemetry::begins_map;
use crate::telemetry::begins_object;

/// Decodes the payload from JSON, for the message type `name`, without a trace context.
pub fn traced_json<'p, T>(
    push: Push<'p>,
    name: &'static str,
    read: impl FnOnce(Traced<&mut JsonReader<'p>>) -> serde_json::Result<T>,
) -> Taken<T> {
    let has_context = begins_object(push.payload());
    read_json(
        push,
        || name,
        |json| {
            read(Traced {
                from: json,
                has_context,
            })
        },
    )
}

/// Decodes the payload from MessagePack, for the message type `name`, without a trace context.
#[cfg(feature = "msgpack")]
pub fn traced_msgpack<'p, T>(
    push: Push<'p>,
    name: &'static str,
    read: impl FnOnce(Traced<&mut MsgPackReader<'p>>) -> Result<T, rmp_serde::decode::Error>,
) -> Taken<T> {
    let has_context = begins_map(push.payload());
    let value = read_msgpack(push.payload(), |msgpack| {
        read(Traced {
            from: msgpack,
            has_context,
        })
    });
    value.map_err(|error| {
        Rejection::caused_by(format!("the payload is not a valid `{name}`"), error)
    })
}

/// A deserializer that leaves out the first entry of a map, if that is a trace context.
#[derive(Debug)]
pub struct Traced<D> {
    from: D,
    has_context: bool,
}

/// The derive macro allows the context only for types that are maps.
impl<'de, D: Deserializer<'de>> Deserializer<'de> for Traced<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        match self.has_context {
            true => self.from.deserialize_any(WithoutFirst(visitor)),
            false => self.from.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        match self.has_context {
            true => self.from.deserialize_map(WithoutFirst(visitor)),
            false => self.from.deserialize_map(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        match self.has_context {
            true => self
                .from
                .deserialize_struct(name, fields, WithoutFirst(visitor)),
            false => self.from.deserialize_struct(name, fields, visitor),
        }
    }

    fn is_human_readable(&self) -> bool {
        self.from.is_human_readable()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct enum identifier ignored_any
    }
}

struct WithoutFirst<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for WithoutFirst<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<V::Value, A::Error> {
        if map.next_entry::<IgnoredAny, IgnoredAny>()?.is_none() {
            return Err(A::Error::custom("the trace context is missing"));
        }
        self.0.visit_map(map)
    }
}
