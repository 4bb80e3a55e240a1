//! What the fuzz targets call: each takes any bytes, and panics if something does not hold.
//!
//! The bounded run in `cargo test` calls the very same functions. No public API.

mod push;
mod template;

pub use push::push;
pub use template::template;

/// Holds the wire link's scanner and redis-rs's parser together over a stream of RESP3.
pub fn wire(bytes: &[u8]) {
    // The feed keeps a bounded number of raw pushes for who reads them.
    if bytes.len() > 16_000 {
        return;
    }
    // The same bytes are cut at the same places.
    let seed = bytes.iter().fold(bytes.len() as u64, |seed, byte| {
        seed.wrapping_mul(31).wrapping_add(u64::from(*byte))
    });
    crate::link::compare(bytes, &mut fastrand::Rng::with_seed(seed));
}
