//! What one node says of the cluster.

use redis::{Pipeline, Value};

use crate::connection::NodeAddress;
use crate::connection::look::{LookError, text};
use crate::connection::slots::SlotMap;
use crate::error::Error;

/// What one node says of the cluster.
pub(super) struct View {
    pub(super) map: SlotMap,
    /// Whether it thinks that the cluster works. One that is cut off from the others does not.
    pub(super) is_ok: bool,
    /// The number of the last change that it has heard of.
    pub(super) epoch: u64,
}

impl View {
    /// Returns what to ask a node for. The second answer may be refused to the user.
    pub(super) fn question() -> Pipeline {
        let mut question = Pipeline::new();
        question.cmd("CLUSTER").arg("SLOTS");
        question.cmd("CLUSTER").arg("INFO");
        question
    }

    /// Reads the answer of the node at an address.
    ///
    /// # Errors
    ///
    /// Returns an error if the node does not say which node has which slots.
    pub(super) fn read(answer: &[Value], at: &NodeAddress) -> Result<Self, Error> {
        let slots = answer.first().unwrap_or(&Value::Nil);
        let map = SlotMap::parse(slots, at.host()).map_err(|error| match error {
            LookError::NoCluster => Error::config(format!(
                "the server at {at} is not a node of a cluster: use `new`, with its URL alone"
            )),
            error if error.is_not_allowed() => Error::auth(format!(
                "the user may not run `CLUSTER SLOTS` at {at} ({error}); grant `+cluster|slots`"
            )),
            LookError::Refused(text) => Error::denied(format!("`CLUSTER SLOTS` at {at}: {text}")),
            error => Error::connection(format!("`CLUSTER SLOTS` at {at}: {error}")),
        })?;
        let info = answer.get(1).and_then(text).unwrap_or_default();
        let field = |name: &str| {
            let mut fields = info.lines().filter_map(|line| line.split_once(':'));
            let (_, value) = fields.find(|(field, _)| *field == name)?;
            Some(value.trim())
        };
        let epoch = field("cluster_current_epoch").and_then(|epoch| epoch.parse().ok());
        Ok(Self {
            map,
            is_ok: field("cluster_state").is_none_or(|state| state == "ok"),
            epoch: epoch.unwrap_or_default(),
        })
    }

    /// Whether this is more likely to be true than another one.
    pub(super) fn is_better_than(&self, other: &Self) -> bool {
        (self.is_ok, self.epoch) > (other.is_ok, other.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(info: &str) -> View {
        let answer = [Value::Array(Vec::new()), Value::BulkString(info.into())];
        View::read(&answer, &NodeAddress::new("seed", 1)).unwrap()
    }

    #[test]
    fn a_node_that_is_cut_off_or_behind_is_believed_less() {
        let now = view("cluster_state:ok\r\ncluster_current_epoch:7\r\ncluster_my_epoch:9\r\n");
        assert!(now.is_ok && now.epoch == 7);
        let behind = view("cluster_state:ok\r\ncluster_current_epoch:6\r\n");
        let cut_off = view("cluster_state:fail\r\ncluster_current_epoch:8\r\n");
        assert!(now.is_better_than(&behind) && behind.is_better_than(&cut_off));
        assert!(!now.is_better_than(&now));
    }

    #[test]
    fn a_user_who_may_not_ask_for_the_state_gets_the_map() {
        let info = redis::parse_redis_value(b"-NOPERM no permission\r\n").unwrap();
        let view = View::read(
            &[Value::Array(Vec::new()), info],
            &NodeAddress::new("seed", 1),
        )
        .unwrap();
        assert!(view.is_ok && view.epoch == 0);
    }

    #[test]
    fn a_server_that_is_no_node_of_a_cluster_is_an_error_that_says_so() {
        let slots = b"-ERR This instance has cluster support disabled\r\n";
        let slots = redis::parse_redis_value(slots).unwrap();
        let error = View::read(&[slots, Value::Nil], &NodeAddress::new("seed", 1))
            .err()
            .unwrap();
        assert!(error.is_config(), "{error}");
    }
}
