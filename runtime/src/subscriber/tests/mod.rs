//! Subscribers on the embedded broker.

mod healing;
mod support;
