/// The number that identifies a client. It is never reused, even after a restart of the broker.
pub(super) type ClientId = u64;
