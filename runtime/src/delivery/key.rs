//! The key of a message, read from its JSON and hashed by its value.

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hash};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Finds a field of an object and hashes its value.
pub(super) struct Find<'f> {
    pub(super) names: &'f [Cow<'static, str>],
    pub(super) values: Values<'f>,
    pub(super) found: &'f mut Option<u64>,
}

impl<'de> Visitor<'de> for Find<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(PositionIn(self.names))? {
            match name {
                Some(0) => {
                    *self.found = map.next_value_seed(self.values)?;
                    return Ok(());
                }
                // In another variant of the message, an alias may be the name of another field.
                Some(_) if self.found.is_none() => {
                    *self.found = map.next_value_seed(self.values)?;
                }
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(())
    }
}

/// Finds a key of an object among these names, after escapes in the key are resolved.
struct PositionIn<'n>(&'n [Cow<'static, str>]);

impl<'de> DeserializeSeed<'de> for PositionIn<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for PositionIn<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|name| name == text))
    }
}

/// Hashes JSON values of any type; `None` for null.
#[derive(Clone, Copy)]
pub(super) struct Values<'h>(pub(super) &'h RandomState);

/// The key by which serde_json passes on a number as text, with its feature `arbitrary_precision`.
pub(super) const NUMBER: &str = "$serde_json::private::Number";

impl Values<'_> {
    pub(super) fn hash(self, value: impl Hash) -> u64 {
        self.0.hash_one(value)
    }

    /// Integers are hashed as the nearest `f64`: as such they may be equal to another number.
    pub(super) fn number(self, value: f64) -> u64 {
        // `-0.0 + 0.0` is `0.0`.
        self.hash((value + 0.0).to_bits())
    }

    /// A param is always text, so a text that is a number is hashed as one.
    pub(super) fn text(self, text: &str) -> u64 {
        let may_be_number = text
            .starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.'));
        match may_be_number.then(|| text.parse::<f64>()) {
            Some(Ok(value)) if value.is_finite() => self.number(value),
            _ => self.hash(text),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Values<'_> {
    type Value = Option<u64>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Values<'_> {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(self.text(if value { "true" } else { "false" })))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(self.number(value as f64)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(self.number(value as f64)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(self.number(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Some(self.text(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut all = 1;
        while let Some(element) = seq.next_element_seed(self)? {
            all = self.hash((all, element));
        }
        Ok(Some(self.hash(all)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut all = 0_u64;
        while let Some(key) = map.next_key_seed(Key(self))? {
            let value = map.next_value_seed(self)?;
            match key {
                // Their order does not matter.
                Some(key) => all = all.wrapping_add(self.hash((key, value))),
                None => return Ok(value),
            }
        }
        Ok(Some(self.hash(all)))
    }
}

/// Hashes a key of an object; `None` if it is [`NUMBER`].
struct Key<'h>(Values<'h>);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<u64>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok((text != NUMBER).then(|| self.0.text(text)))
    }
}
