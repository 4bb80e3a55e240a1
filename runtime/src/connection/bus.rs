//! The links of the cluster bus, over which a `PUBLISH` reaches the other nodes.
//!
//! A link that breaks loses what was on its way, and no client hears of it. But each node tells when each
//! of its links was made, since Redis 7.0: a `from` link that is younger than at the last look was
//! reset in between, and a node without a `from` link cannot be heard. A node that the others have
//! forgotten has none.

use std::collections::BTreeMap;

use redis::Value;

use super::look::{LookError, list, number, pairs, text};

/// The links of one node with the others, by their ids, as the reply to `CLUSTER LINKS` has them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct BusLinks {
    links: BTreeMap<Box<str>, Links>,
}

/// When the links with one other node were made, in milliseconds of the server's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Links {
    /// Over this one the other node is heard.
    from: Option<i64>,
    to: Option<i64>,
}

/// What has happened to the link over which another node is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkChange {
    /// It is another one than before: what the node has published in between may be lost.
    Reset,
    /// There is none: what the node publishes is lost.
    Missing,
    /// There is one with a node that was not there before.
    New,
    /// The node is not there any more, as one that is taken for failed.
    Gone,
}

impl BusLinks {
    /// Reads the reply to `CLUSTER LINKS`: a list of links, each a map with `direction`, `node` and
    /// `create-time`, among others.
    ///
    /// # Errors
    ///
    /// Returns an error if the server refuses or does not know the command, or if the reply has another
    /// form.
    pub(crate) fn parse(reply: &Value) -> Result<Self, LookError> {
        let mut links: BTreeMap<Box<str>, Links> = BTreeMap::new();
        for link in list(reply, "the reply to CLUSTER LINKS")? {
            let (mut way, mut node, mut created) = (None, None, None);
            for (name, value) in pairs(link, "a link")? {
                match text(name) {
                    Some("direction") => way = text(value),
                    Some("node") => node = text(value),
                    Some("create-time") => created = number::<i64>(value),
                    _ => {}
                }
            }
            let (Some(way), Some(node), Some(created)) = (way, node, created) else {
                return Err(LookError::unreadable(
                    "a link has no direction, node or time",
                ));
            };
            let links = links.entry(node.into()).or_default();
            match way {
                "from" => links.from = links.from.max(Some(created)),
                "to" => links.to = links.to.max(Some(created)),
                // Nothing is said about directions that are not known.
                _ => {}
            }
        }
        Ok(Self { links })
    }

    /// Whether another node is heard.
    pub(crate) fn hears(&self, id: &str) -> bool {
        self.links.get(id).is_some_and(|links| links.from.is_some())
    }

    /// Whether any other node is heard.
    pub(crate) fn hears_any(&self) -> bool {
        self.links.values().any(|links| links.from.is_some())
    }

    /// The nodes whose link has changed since the last look, with what has happened. A node that is
    /// [`Missing`](LinkChange::Missing) is named at each look.
    pub(crate) fn changes_since<'a>(
        &'a self,
        before: &'a Self,
    ) -> impl Iterator<Item = (&'a str, LinkChange)> {
        let now = self.links.iter().filter_map(|(id, now)| {
            let before = before.links.get(id);
            let change = match (before.map(|before| before.from), now.from) {
                (_, None) => LinkChange::Missing,
                (None, Some(_)) => LinkChange::New,
                (Some(before), now) if before == now => return None,
                (Some(_), Some(_)) => LinkChange::Reset,
            };
            Some((&**id, change))
        });
        let gone = before
            .links
            .keys()
            .filter(|id| !self.links.contains_key(*id));
        now.chain(gone.map(|id| (&**id, LinkChange::Gone)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn link(way: &str, node: &str, created: i64) -> Value {
        Value::Map(vec![
            (bulk("direction"), bulk(way)),
            (bulk("node"), bulk(node)),
            (bulk("create-time"), Value::Int(created)),
            (bulk("events"), bulk("rw")),
        ])
    }

    fn links(all: &[(&str, &str, i64)]) -> BusLinks {
        let links = all
            .iter()
            .map(|(way, node, created)| link(way, node, *created));
        BusLinks::parse(&Value::Array(links.collect())).unwrap()
    }

    fn changes(now: &BusLinks, before: &BusLinks) -> Vec<(String, LinkChange)> {
        let changes = now.changes_since(before);
        changes
            .map(|(id, change)| (id.to_owned(), change))
            .collect()
    }

    #[test]
    fn a_younger_from_link_was_reset_and_a_younger_to_link_does_not_matter() {
        let before = links(&[
            ("from", "a", 1),
            ("to", "a", 1),
            ("from", "b", 1),
            ("to", "b", 1),
        ]);
        let now = links(&[
            ("from", "a", 1),
            ("to", "a", 9),
            ("from", "b", 2),
            ("to", "b", 1),
        ]);
        assert_eq!(
            changes(&now, &before),
            [("b".to_owned(), LinkChange::Reset)]
        );
        assert!(changes(&before, &before).is_empty());
    }

    #[test]
    fn a_node_without_a_from_link_is_missing_at_each_look_and_then_reset() {
        let before = links(&[("from", "a", 1), ("to", "a", 1)]);
        let now = links(&[("to", "a", 1)]);
        let missing = [("a".to_owned(), LinkChange::Missing)];
        assert_eq!(changes(&now, &before), missing);
        assert_eq!(changes(&now, &now), missing);
        assert!(before.hears("a") && !now.hears("a") && !now.hears("b"));
        assert_eq!(
            changes(&before, &now),
            [("a".to_owned(), LinkChange::Reset)]
        );
    }

    #[test]
    fn nodes_come_and_go() {
        let (before, now) = (links(&[("from", "a", 1)]), links(&[("from", "b", 1)]));
        let expected = [
            ("b".to_owned(), LinkChange::New),
            ("a".to_owned(), LinkChange::Gone),
        ];
        assert_eq!(changes(&now, &before), expected);
    }

    #[test]
    fn the_flat_lists_of_resp2_are_links_too() {
        let flat = ["direction", "from", "node", "a", "create-time", "7"].map(bulk);
        let flat = Value::Array(vec![Value::Array(flat.to_vec())]);
        assert_eq!(BusLinks::parse(&flat).unwrap(), links(&[("from", "a", 7)]));
    }

    #[test]
    fn a_reply_in_another_form_is_an_error() {
        for reply in [
            Value::Okay,
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![Value::Map(vec![(bulk("node"), bulk("a"))])]),
            Value::Array(vec![link("from", "a", 1), Value::Array(vec![bulk("node")])]),
        ] {
            assert!(BusLinks::parse(&reply).is_err(), "{reply:?}");
        }
        assert_eq!(
            BusLinks::parse(&Value::Array(Vec::new())),
            Ok(BusLinks::default())
        );
    }
}
