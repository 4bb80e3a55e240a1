//! Tests of subscribers on the embedded broker that need the crate's internals.

mod healing;
mod health;
mod hooks;
mod support;
