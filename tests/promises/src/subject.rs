//! The subjects of the tests: the library over two links, and the controls.

/// A way to subscribe to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// The library over its default link.
    Manager,
    /// The library over the wire link.
    Wire,
    /// A control: one broadcast channel as the push sender of a `ConnectionManager`, loops that
    /// filter it, and a manual resubscription.
    Seed,
    /// A control: a `ConnectionManager` with automatic resubscription.
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
