use std::borrow::Cow;
use std::collections::hash_map::RandomState;

use serde::de::Deserializer;

use super::key::{Find, Values};
use crate::handler::Spec;
use crate::push::Push;

/// Assigns pushes to workers by their key, so that pushes with the same key stay in order.
///
/// Keys are compared as values, not as they are written. Where that depends on a type which is not
/// known here, keys that may be equal count as equal: the number 7 and the text "07", for example. They
/// then share a worker, which is always correct.
pub(crate) struct Partitioner {
    /// The name of the param.
    key: Cow<'static, str>,
    /// The name of the field in the payload, then its other names.
    names: Vec<Cow<'static, str>>,
    /// Publishers choose the keys. The hash is keyed, so they cannot target one worker.
    hash: RandomState,
}

impl Partitioner {
    /// Returns the partitioner of a handler, if it has a key.
    pub(crate) fn of(spec: &Spec) -> Option<Self> {
        let key = spec.ordered_by.clone()?;
        Some(Self {
            names: names_of(
                key.clone(),
                spec.message.as_ref().map_or(&[], |message| message.names),
            ),
            key,
            hash: RandomState::new(),
        })
    }

    /// Returns the index, below `partitions`, of the partition that a push belongs to.
    pub(crate) fn partition(&self, push: Push<'_>, partitions: usize) -> usize {
        let hash = match push.param(&self.key) {
            Some(text) => Some(Values(&self.hash).text(text)),
            None => self.hash_field(push.payload()),
        };
        // The remainder is less than `partitions`, which is a `usize`.
        (hash.unwrap_or(0) % partitions as u64) as usize
    }

    /// Returns the hash of the key's top-level field in a JSON object; `None` if it is null or
    /// missing. Stops reading after that field.
    fn hash_field(&self, payload: &[u8]) -> Option<u64> {
        let mut found = None;
        let find = Find {
            names: &self.names,
            values: Values(&self.hash),
            found: &mut found,
        };
        let mut json = serde_json::Deserializer::from_slice(payload);
        // The rest of the object was not read, so this is an error. Whether the payload is valid is
        // up to the decoder.
        let _ = json.deserialize_map(find);
        found
    }
}

/// Returns the names in the payload of the field that the key names, in the payload or else in the type.
fn names_of(key: Cow<'static, str>, fields: &[Names]) -> Vec<Cow<'static, str>> {
    let by_payload = fields.iter().filter(|(_, names)| names.contains(&&*key));
    let mut found: Vec<_> = by_payload.collect();
    if found.is_empty() {
        found = fields.iter().filter(|(field, _)| *field == key).collect();
    }
    let names = found.iter().flat_map(|(_, names)| *names);
    let mut names: Vec<_> = names.map(|name| Cow::Borrowed(*name)).collect();
    match names.iter().position(|name| *name == key) {
        Some(at) => names.swap(0, at),
        None if names.is_empty() => names.push(key),
        None => {}
    }
    names
}

/// A field, and its names in the payload.
type Names = (&'static str, &'static [&'static str]);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::key::NUMBER;
    use crate::handler::MessageType;
    use crate::message::MessageDescriptor;
    use crate::push::OwnedPush;
    use crate::subscription::Subscription;

    fn by_id() -> Partitioner {
        Partitioner::of(&Spec::new("h").ordered_by("id")).unwrap()
    }

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
        let by_id = by_id();
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
        let by_id = by_id();
        let found = partitions(
            &by_id,
            "orders",
            &[
                ("orders", "not JSON"),
                ("orders", "{}"),
                ("orders", "[1]"),
                ("orders", ""),
                ("orders", r#"{"id": null}"#),
            ],
        );
        assert!(found.iter().all(|one| *one == found[0]), "{found:?}");
    }

    /// The partitions of messages with these values of the key.
    fn of_values(values: &[&str]) -> Vec<usize> {
        let payloads: Vec<_> = values
            .iter()
            .map(|value| format!(r#"{{"id": {value}}}"#))
            .collect();
        let pushes: Vec<_> = payloads
            .iter()
            .map(|payload| ("orders", &**payload))
            .collect();
        partitions(&by_id(), "orders", &pushes)
    }

    #[test]
    fn values_that_are_equal_are_in_one_partition_however_they_are_written() {
        for equal in [
            &["1", "1.0", "1e0", "10e-1", "1.000", r#""1""#, r#""01""#][..],
            &["-0.0", "0", "-0", "0e5"],
            &["1000000000000000000", "1e18"],
            &[r#""ab""#, r#""\u0061b""#, r#""a\u0062""#],
            &[r#""a/b""#, r#""a\/b""#],
            &[r#"{"a": 1, "b": [2]}"#, r#"{"b":[2.0],"\u0061":1e0}"#],
            &["true", r#""true""#],
        ] {
            let found = of_values(equal);
            assert!(
                found.iter().all(|one| *one == found[0]),
                "{equal:?}: {found:?}"
            );
        }
        let different = of_values(&[
            "1", "2", r#""a""#, "[1]", "[1, 1]", "[]", "{}", "true", "false",
        ]);
        let distinct: std::collections::HashSet<_> = different.iter().collect();
        assert_eq!(distinct.len(), different.len());
    }

    #[test]
    fn a_param_is_equal_to_a_field_of_the_same_value() {
        for (param, field) in [("7", "7"), ("07", "7.0"), ("x", r#""x""#), ("+7", r#""7""#)] {
            let by_id = by_id();
            let channel = format!("orders.{param}");
            let by_param = partitions(&by_id, "orders.{id}", &[(&channel, "")]);
            let payload = format!(r#"{{"id": {field}}}"#);
            let by_field = partitions(&by_id, "orders", &[("orders", &payload)]);
            assert_eq!(by_param, by_field, "{param} {field}");
        }
    }

    #[test]
    fn a_number_that_is_passed_on_as_text_is_hashed_by_its_value() {
        let token = format!(r#"{{"{NUMBER}": "1.0"}}"#);
        let found = of_values(&[&token, "1"]);
        assert_eq!(found[0], found[1]);
    }

    #[test]
    fn a_field_is_found_by_all_of_its_names() {
        const NAMES: &[(&str, &[&str])] = &[
            ("other", &["other", "o"]),
            ("the_id", &["id", "order", "order_id"]),
        ];
        let message = MessageType {
            names: NAMES,
            ..MessageType::of(&MessageDescriptor::PAYLOAD, "Order")
        };
        let spec = Spec::new("h").ordered_by("id").with_message(Some(message));
        let by_id = Partitioner::of(&spec).unwrap();
        let found = partitions(
            &by_id,
            "orders",
            &[
                ("orders", r#"{"id": 1}"#),
                ("orders", r#"{"a": 2, "order_id": 1}"#),
                ("orders", r#"{"order": 1.0, "a": 2}"#),
                ("orders", r#"{"order": 5, "id": 1}"#),
                ("orders", r#"{"other": 1}"#),
            ],
        );
        assert!(found[..4].iter().all(|one| *one == found[0]), "{found:?}");
        assert_ne!(found[0], found[4]);
        let names = |key: &'static str| names_of(key.into(), NAMES);
        assert_eq!(names("order"), ["order", "id", "order_id"]);
        assert_eq!(names("the_id"), ["id", "order", "order_id"]);
        assert_eq!(names("x"), ["x"]);
    }
}
