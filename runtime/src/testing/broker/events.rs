//! The classes of key events, as `notify-keyspace-events` spells them.

/// The classes whose events this broker can publish, and the two that select the channels.
#[derive(Clone, Copy)]
pub(super) enum Class {
    Generic = b'g' as isize,
    String = b'$' as isize,
    List = b'l' as isize,
    Set = b's' as isize,
    Hash = b'h' as isize,
    SortedSet = b'z' as isize,
    Expired = b'x' as isize,
    New = b'n' as isize,
    Missed = b'm' as isize,
    Keyspace = b'K' as isize,
    Keyevent = b'E' as isize,
}

/// Every class, in the order in which the server prints them.
const ORDER: &[u8] = b"g$lshzxetdnKEm";

/// The classes that `A` stands for.
const ALL: &[u8] = b"g$lshzxetd";

/// A set of classes: one bit for each index in `ORDER`.
#[derive(Clone, Copy, Default, PartialEq)]
pub(super) struct Classes(u16);

impl Classes {
    /// Parses the setting; `None` if a letter is not a class.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        text.iter()
            .try_fold(Self::default(), |classes, letter| match letter {
                b'A' => Some(classes.union(Self::parse(ALL)?)),
                letter => {
                    let place = ORDER.iter().position(|known| known == letter)?;
                    Some(classes.union(Self(1 << place)))
                }
            })
    }

    pub(super) fn holds(self, class: Class) -> bool {
        ORDER
            .iter()
            .position(|letter| *letter == class as u8)
            .is_some_and(|place| self.0 & 1 << place != 0)
    }

    fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl std::fmt::Display for Classes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = Self::parse(ALL).is_some_and(|all| self.union(all) == *self);
        if all {
            f.write_str("A")?;
        }
        for (place, letter) in ORDER.iter().enumerate() {
            if self.0 & 1 << place != 0 && !(all && ALL.contains(letter)) {
                write!(f, "{}", char::from(*letter))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_is_spelled_as_the_server_spells_it() {
        for (given, spelled) in [
            ("", ""),
            ("KEA", "AKE"),
            ("Kx$gn", "g$xnK"),
            ("xE", "xE"),
            ("g$lshzxetd", "A"),
        ] {
            assert_eq!(
                Classes::parse(given.as_bytes()).unwrap().to_string(),
                spelled
            );
        }
        assert!(Classes::parse(b"KQ").is_none());
    }
}
