//! Which of the server's settings a subscription to key events needs.

use super::{Kind, Subscription};

/// What `notify-keyspace-events` must contain, so that a subscription receives anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyEventFlags {
    /// `K` for channels of keys, `E` for channels of events.
    channels: char,
    /// The class of the event in the name, if it is known; otherwise any class will do.
    class: Option<char>,
}

/// The letters of the classes of events. `A` stands for all of them but `m` and `n`.
const CLASSES: &str = "Ag$lshzxetdmnoc";

impl Subscription {
    /// Returns whether it is about keys. Each node of a cluster has messages about its own keys.
    pub(crate) fn is_of_keys(&self) -> bool {
        match self.kind() {
            Kind::Invalidation => true,
            // Such as `__key*__:*`.
            Kind::Pattern => self.name().starts_with("__key"),
            _ => KeyEventFlags::of(self).is_some(),
        }
    }
}

impl KeyEventFlags {
    /// Returns the flags that a subscription needs; `None` if it is not about key events.
    pub(crate) fn of(subscription: &Subscription) -> Option<Self> {
        let name = match subscription.kind() {
            Kind::Channel | Kind::Pattern => subscription.name(),
            Kind::Shard | Kind::Invalidation | Kind::Connection => return None,
        };
        if name.starts_with("__keyspace@") {
            return Some(Self {
                channels: 'K',
                class: None,
            });
        }
        let event = name.strip_prefix("__keyevent@")?;
        let class = event.split_once(':').and_then(|(_, event)| class(event));
        Some(Self {
            channels: 'E',
            class,
        })
    }

    /// Returns the flags that are missing in the server's setting; empty if none are.
    pub(crate) fn missing_in(self, setting: &str) -> String {
        let has_class = match self.class {
            Some(class) => {
                setting.contains(class) || (setting.contains('A') && !"mn".contains(class))
            }
            None => setting.contains(|flag| CLASSES.contains(flag)),
        };
        let mut missing = String::new();
        if !setting.contains(self.channels) {
            missing.push(self.channels);
        }
        if !has_class {
            missing.push(self.class.unwrap_or('A'));
        }
        missing
    }
}

/// Returns the class of an event, if the event belongs to one class on every server.
///
/// From the section on key events in the servers' default configuration file.
fn class(event: &str) -> Option<char> {
    Some(match event {
        "expired" => 'x',
        "evicted" => 'e',
        "keymiss" => 'm',
        "new" => 'n',
        "del" | "expire" | "persist" | "rename_from" | "rename_to" | "move_from" | "move_to" => 'g',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_flags_are_found() {
        let keyspace = Subscription::keyspace("user:{id}").unwrap();
        let expired = Subscription::channel("__keyevent@0__:expired");
        let new = Subscription::pattern("__keyevent@*__:new");
        for (subscription, setting, missing) in [
            (&keyspace, "", "KA"),
            (&keyspace, "KA", ""),
            (&keyspace, "Kg", ""),
            (&keyspace, "gE", "K"),
            (&keyspace, "K", "A"),
            (&expired, "AK", "E"),
            (&expired, "gE", "x"),
            (&expired, "xE", ""),
            (&expired, "AE", ""),
            (&new, "AE", "n"),
        ] {
            let flags = KeyEventFlags::of(subscription).expect("key events");
            assert_eq!(
                flags.missing_in(setting),
                missing,
                "{subscription}: {setting}"
            );
        }
        assert_eq!(KeyEventFlags::of(&Subscription::channel("a")), None);
    }
}
