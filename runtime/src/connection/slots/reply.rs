//! The reply to `CLUSTER SLOTS`.

use redis::Value;

use super::Slot;
use super::map::SlotMap;
use crate::connection::look::{LookError, list, number, text};
use crate::connection::node_address::NodeAddress;

impl SlotMap {
    /// Reads the reply to `CLUSTER SLOTS`: a list of ranges, each with its first and last slot, the
    /// primary and the replicas. A node is a list of its host, its port, its id and more.
    ///
    /// `asked` is the host of the node that was asked. It stands for a host that is empty or nil:
    /// nodes say so if they do not know their own, and with
    /// `cluster-preferred-endpoint-type unknown-endpoint`. Slots of a primary with the host `?` are
    /// nobody's: it is set to announce a name, and has none.
    ///
    /// # Errors
    ///
    /// Returns an error if the server refuses, or if the reply has another form.
    pub(crate) fn parse(reply: &Value, asked: &str) -> Result<Self, LookError> {
        let mut map = Self::new();
        for range in list(reply, "the reply to CLUSTER SLOTS")? {
            map.add(list(range, "a range of slots")?, asked)?;
        }
        for shard in &mut map.shards {
            shard.replicas.sort();
            shard.replicas.dedup();
        }
        Ok(map)
    }

    fn add(&mut self, range: &[Value], asked: &str) -> Result<(), LookError> {
        let [first, last, nodes @ ..] = range else {
            return Err(LookError::unreadable("a range of slots has no end"));
        };
        let (Some(first), Some(last)) = (slot(first), slot(last)) else {
            return Err(LookError::unreadable(
                "a range of slots has no numbers of slots",
            ));
        };
        let mut nodes = nodes.iter().map(|node| self.add_node(node, asked));
        // A range without a primary has no owner, even if it has replicas: they would refer to it.
        let Some(primary) = nodes.next().transpose()?.flatten() else {
            return Ok(());
        };
        let replicas: Vec<_> = nodes.collect::<Result<_, _>>()?;
        let shard = self.shard_with(&primary);
        let known = &mut self.shards[usize::from(shard)].replicas;
        known.extend(replicas.into_iter().flatten());
        for slot in (first.number()..=last.number()).filter_map(Slot::new) {
            self.assign(slot, shard);
        }
        Ok(())
    }

    /// Reads a node, and keeps its id. Returns `None` if its address is not known.
    fn add_node(&mut self, node: &Value, asked: &str) -> Result<Option<NodeAddress>, LookError> {
        let [host, port, rest @ ..] = list(node, "a node")? else {
            return Err(LookError::unreadable("a node has no port"));
        };
        let host = match host {
            Value::Nil => "",
            host => {
                text(host).ok_or_else(|| LookError::unreadable("a node's host is not a text"))?
            }
        };
        let port = number(port);
        let port = port.ok_or_else(|| LookError::unreadable("a node's port is not a number"))?;
        let address = NodeAddress::named(host, port, asked);
        if let (Some(address), Some(id)) = (&address, rest.first().and_then(text)) {
            self.ids.insert(id.into(), address.clone());
        }
        Ok(address)
    }
}

fn slot(value: &Value) -> Option<Slot> {
    number(value).and_then(Slot::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn node(host: Value, port: i64, id: &str) -> Value {
        let metadata = Value::Array(vec![bulk("hostname"), bulk("a.internal")]);
        Value::Array(vec![host, Value::Int(port), bulk(id), metadata])
    }

    fn range(first: i64, last: i64, nodes: &[Value]) -> Value {
        Value::Array([&[Value::Int(first), Value::Int(last)], nodes].concat())
    }

    fn slot(number: u16) -> Slot {
        Slot::new(number).unwrap()
    }

    #[test]
    fn ranges_of_one_primary_are_one_shard_with_its_replicas() {
        let (a, b) = (
            node(bulk("10.0.0.1"), 1, "ida"),
            node(bulk("10.0.0.2"), 2, "idb"),
        );
        let replica = node(bulk("10.0.0.3"), 3, "idc");
        let reply = Value::Array(vec![
            range(0, 99, &[a.clone(), replica.clone()]),
            range(100, 199, &[b]),
            range(300, 16_383, &[a, replica]),
        ]);
        let map = SlotMap::parse(&reply, "seed").unwrap();
        let a = NodeAddress::new("10.0.0.1", 1);
        assert_eq!(map.slots_of(&a), [0..=99, 300..=16_383]);
        assert_eq!(map.owner(slot(99)), Some(&a));
        assert_eq!(map.owner(slot(100)), Some(&NodeAddress::new("10.0.0.2", 2)));
        assert_eq!(map.owner(slot(200)), None);
        assert_eq!(map.primaries().count(), 2);
        assert_eq!(map.covered(), 16_384 - 100);
        let replica = NodeAddress::new("10.0.0.3", 3);
        assert_eq!(map.replicas(slot(5)), std::slice::from_ref(&replica));
        assert_eq!(map.replicas_of(&a), std::slice::from_ref(&replica));
        assert_eq!(map.address_of("idc"), Some(&replica));
        assert_eq!(map.address_of("none"), None);
    }

    #[test]
    fn a_node_that_does_not_know_its_host_is_at_the_one_that_was_asked() {
        for host in [bulk(""), Value::Nil] {
            let reply = Value::Array(vec![range(0, 1, &[node(host, 7, "id")])]);
            let map = SlotMap::parse(&reply, "seed").unwrap();
            assert_eq!(map.owner(slot(0)), Some(&NodeAddress::new("seed", 7)));
        }
    }

    #[test]
    fn a_primary_without_an_address_leaves_its_slots_without_an_owner() {
        let replica = node(bulk("10.0.0.3"), 3, "idc");
        let unknown = node(bulk("?"), 7, "id");
        let reply = Value::Array(vec![range(0, 1, &[unknown.clone(), replica])]);
        let map = SlotMap::parse(&reply, "seed").unwrap();
        assert_eq!(map.owner(slot(0)), None);
        assert_eq!(map.primaries().count(), 0);
        let known = node(bulk("10.0.0.1"), 1, "ida");
        let reply = Value::Array(vec![range(0, 1, &[known, unknown])]);
        let map = SlotMap::parse(&reply, "seed").unwrap();
        assert!(map.owner(slot(0)).is_some());
        assert!(map.replicas(slot(0)).is_empty());
    }

    #[test]
    fn a_reply_in_another_form_is_an_error() {
        let good = node(bulk("a"), 1, "id");
        let list = |values: &[Value]| Value::Array(values.to_vec());
        for reply in [
            Value::Nil,
            Value::Okay,
            list(&[Value::Int(1)]),
            list(&[list(&[])]),
            list(&[list(&[Value::Int(1)])]),
            list(&[range(0, 16_384, std::slice::from_ref(&good))]),
            list(&[range(-1, 5, std::slice::from_ref(&good))]),
            list(&[range(0, 1, &[Value::Int(1)])]),
            list(&[range(0, 1, &[list(&[bulk("a")])])]),
            list(&[range(0, 1, &[node(Value::Int(1), 1, "id")])]),
            list(&[range(0, 1, &[node(bulk("a"), 65_536, "id")])]),
            list(&[range(0, 1, &[node(Value::BulkString(vec![255]), 1, "id")])]),
        ] {
            let error = SlotMap::parse(&reply, "seed").unwrap_err();
            assert!(matches!(error, LookError::Unreadable(_)), "{reply:?}");
        }
        // An empty cluster, an empty range and one that ends before it begins own nothing.
        for reply in [
            list(&[]),
            list(&[range(0, 1, &[])]),
            list(&[range(5, 1, &[good])]),
        ] {
            let map = SlotMap::parse(&reply, "seed").unwrap();
            assert_eq!(map.covered(), 0, "{reply:?}");
        }
    }
}
