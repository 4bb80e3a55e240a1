use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::push::Push;

/// Assigns pushes to workers by their key, so that pushes with the same key stay in order.
pub(crate) struct Partitioner {
    key: Cow<'static, str>,
    /// Publishers choose the keys. The hash is keyed, so they cannot target one worker.
    hash: std::collections::hash_map::RandomState,
}

impl Partitioner {
    pub(crate) fn by(key: Cow<'static, str>) -> Self {
        Self {
            key,
            hash: Default::default(),
        }
    }

    /// Returns the index, below `partitions`, of the partition that a push belongs to.
    pub(crate) fn partition(&self, push: Push<'_>, partitions: usize) -> usize {
        let hash = match push.param(&self.key) {
            Some(text) => self.hash.hash_one(text),
            None => self.hash_field(push.payload()).unwrap_or(0),
        };
        // The remainder is less than `partitions`, which is a `usize`.
        (hash % partitions as u64) as usize
    }

    /// Returns the hash of the key's top-level field in a JSON object. Stops reading after that
    /// field.
    fn hash_field(&self, payload: &[u8]) -> Option<u64> {
        let hashed = Cell::new(None);
        let find = Find {
            key: &self.key,
            hasher: self.hash.build_hasher(),
            hashed: &hashed,
        };
        let mut json = serde_json::Deserializer::from_slice(payload);
        // The rest of the object was not read, so this is an error. Whether the payload is valid is
        // up to the decoder.
        let _ = json.deserialize_map(find);
        hashed.get()
    }
}

/// Finds a field of an object and hashes its value.
struct Find<'f, H> {
    key: &'f str,
    hasher: H,
    hashed: &'f Cell<Option<u64>>,
}

impl<'de, H: Hasher> Visitor<'de> for Find<'_, H> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(is_key) = map.next_key_seed(Is(self.key))? {
            if is_key {
                map.next_value_seed(Hashed(&mut self.hasher))?;
                self.hashed.set(Some(self.hasher.finish()));
                return Ok(());
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// Compares a key of an object with this text, after escapes in the key are resolved.
struct Is<'k>(&'k str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, text: &str) -> Result<bool, E> {
        Ok(text == self.0)
    }
}

/// Hashes a value of any type.
struct Hashed<'h, H>(&'h mut H);

impl<'de, H: Hasher> DeserializeSeed<'de> for Hashed<'_, H> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, H: Hasher> Visitor<'de> for Hashed<'_, H> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.hash(PhantomData::<()>)
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.hash(value)
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.hash(value)
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.hash(value)
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.hash(value.to_bits())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.hash(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Hashed(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(Hashed(self.0))?.is_some() {
            map.next_value_seed(Hashed(self.0))?;
        }
        Ok(())
    }
}

impl<H: Hasher> Hashed<'_, H> {
    fn hash<E>(self, value: impl Hash) -> Result<(), E> {
        value.hash(self.0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::OwnedPush;
    use crate::subscription::Subscription;

    fn partitions(by: &Partitioner, template: &str, pushes: &[(&str, &str)]) -> Vec<usize> {
        let subscription = Subscription::template(template).unwrap();
        let partition = |(channel, payload): &(&str, &str)| {
            let push = OwnedPush::new(subscription.clone(), channel, payload);
            by.partition(push.as_push(), 1 << 30)
        };
        pushes.iter().map(partition).collect()
    }

    #[test]
    fn the_key_is_the_param_of_that_name_or_else_the_field() {
        let by_id = Partitioner::by("id".into());
        let by_param = partitions(
            &by_id,
            "orders.{id}",
            &[
                ("orders.7", r#"{"id": 1}"#),
                ("orders.7", ""),
                ("orders.8", ""),
            ],
        );
        assert_eq!(by_param[0], by_param[1]);
        assert_ne!(by_param[0], by_param[2]);
        let by_field = partitions(
            &by_id,
            "orders",
            &[
                ("orders", r#"{"a": [1, {"id": 9}], "id": "x", "b": 2}"#),
                ("orders", r#"{"\u0069d":"x" and then no JSON"#),
                ("orders", r#"{"id": "y"}"#),
                ("orders", r#"{"id": {"deep": [1, null]}}"#),
            ],
        );
        assert_eq!(by_field[0], by_field[1]);
        assert_ne!(by_field[0], by_field[2]);
        assert_ne!(by_field[2], by_field[3]);
    }

    #[test]
    fn messages_without_a_key_are_in_one_partition() {
        let by_id = Partitioner::by("id".into());
        let found = partitions(
            &by_id,
            "orders",
            &[
                ("orders", "not JSON"),
                ("orders", "{}"),
                ("orders", "[1]"),
                ("orders", ""),
            ],
        );
        assert!(found.iter().all(|one| *one == found[0]), "{found:?}");
    }
}
