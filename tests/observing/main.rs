//! What is observed of deliveries: their times, their spans, and traces that go from process to process.
//!
//! The application runs in the test kit, with a paused clock. A test installs its subscriber of `tracing` for
//! its own thread, on which its runtime runs.

mod collected;
mod failing;
mod propagating;
mod resyncing;
mod spans;
mod timings;
