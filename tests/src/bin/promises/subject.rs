//! Who is put to the test.

/// A way to listen to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// The library over its default link.
    Manager,
    /// The library over the wire link.
    Wire,
    /// A control: one broadcast channel behind a `ConnectionManager`, loops that filter it, and a
    /// resubscription by hand.
    Seed,
    /// A control: a `ConnectionManager` that resubscribes by itself.
    Plain,
}

impl Subject {
    pub(crate) const CONTROLS: &'static [Self] = &[Self::Seed, Self::Plain];

    /// The name in the output.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Manager => "manager",
            Self::Wire => "wire",
            Self::Seed => "seed pattern",
            Self::Plain => "plain ConnectionManager",
        }
    }

    pub(crate) fn is_control(self) -> bool {
        Self::CONTROLS.contains(&self)
    }
}
