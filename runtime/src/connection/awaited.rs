use std::collections::HashMap;
use std::sync::Arc;

use crate::push::Incoming;
use crate::subscription::Kind;
use crate::util::Mutex;

/// The confirmations that redis-rs waits for as replies to commands of the session.
///
/// redis-rs takes every push about a subscription for the reply to its oldest command. A server
/// sends such a push on its own too: when a slot leaves the node, it ends the subscriptions to the
/// slot's sharded channels. The wire link passes only what is awaited, so that redis-rs does not
/// count a reply too many.
#[derive(Clone, Debug, Default)]
pub(crate) struct Awaited(Arc<Mutex<HashMap<Confirmation, usize>>>);

/// The confirmation of one command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Confirmation {
    what: What,
    kind: Kind,
    name: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Subscribed,
    Unsubscribed,
}

impl Confirmation {
    pub(super) fn subscribed(kind: Kind, name: impl Into<Vec<u8>>) -> Self {
        Self {
            what: What::Subscribed,
            kind,
            name: name.into(),
        }
    }

    pub(super) fn unsubscribed(kind: Kind, name: impl Into<Vec<u8>>) -> Self {
        Self {
            what: What::Unsubscribed,
            ..Self::subscribed(kind, name)
        }
    }
}

impl Awaited {
    /// Records a command, before it is sent.
    pub(super) fn add(&self, confirmation: Confirmation) {
        *self.0.lock().entry(confirmation).or_default() += 1;
    }

    /// Removes a confirmation, unless it has arrived: the server has refused the command.
    pub(super) fn remove(&self, confirmation: &Confirmation) {
        self.take(confirmation);
    }

    /// Returns whether redis-rs should read a push. One about a subscription must be awaited, and is
    /// not awaited any more after this.
    pub(crate) fn passes(&self, push: &Incoming<'_>) -> bool {
        match *push {
            Incoming::Subscribed { kind, name } => self.take(&Confirmation::subscribed(kind, name)),
            Incoming::Unsubscribed { kind, name, .. } => {
                self.take(&Confirmation::unsubscribed(kind, name))
            }
            _ => true,
        }
    }

    fn take(&self, confirmation: &Confirmation) -> bool {
        let mut awaited = self.0.lock();
        let Some(count) = awaited.get_mut(confirmation) else {
            return false;
        };
        *count -= 1;
        if *count == 0 {
            awaited.remove(confirmation);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirmation_passes_as_often_as_it_is_awaited() {
        let awaited = Awaited::default();
        let ended = |name| Incoming::Unsubscribed {
            kind: Kind::Shard,
            name,
            left: None,
        };
        assert!(!awaited.passes(&ended(b"a")));
        awaited.add(Confirmation::unsubscribed(Kind::Shard, "a"));
        awaited.add(Confirmation::unsubscribed(Kind::Shard, "a"));
        assert!(!awaited.passes(&ended(b"b")));
        let subscribed = Incoming::Subscribed {
            kind: Kind::Shard,
            name: b"a",
        };
        assert!(!awaited.passes(&subscribed));
        assert!(awaited.passes(&ended(b"a")));
        assert!(awaited.passes(&ended(b"a")));
        assert!(!awaited.passes(&ended(b"a")));
    }
}
