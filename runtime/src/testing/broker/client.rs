/// The number by which clients are told apart. It is never used again, also after a restart.
pub(super) type ClientId = u64;
