//! Annotate an async function and it becomes a typed, live subscription to what
//! Redis or Valkey pushes over RESP3.

#[cfg(feature = "testing")]
pub mod testing;
