//! The functions of the fuzz targets. Not a public API.
//!
//! - [`push`]: the conversion of a push of redis-rs, compared with the wire link's scanner.
//! - [`template`]: the parser and the matcher of templates.
//! - [`topology`]: the readers of what clusters and sentinels say of themselves.
//! - [`wire`]: the wire link's scanner, compared with redis-rs's parser.
//!
//! In: the fuzz targets of the package in `tests/` call these, and so does its `cargo test`, for a
//! bounded time. Out: the functions check `connection`, `link`, `push` and `subscription`, with the glob of the
//! embedded broker as the server's side.
//!
//! Each function accepts any bytes. It panics if a property does not hold, and for the same bytes
//! it always does the same. The module exists only with `--cfg redis_push_internals` and the
//! feature `testing`.

mod push;
mod template;
mod topology;

pub use push::push;
pub use template::template;
pub use topology::{slot_of, topology};

/// Compares the wire link's scanner with redis-rs's parser over a stream of RESP3.
pub fn wire(bytes: &[u8]) {
    // The dispatcher keeps a bounded number of raw pushes for their receivers.
    if bytes.len() > 16_000 {
        return;
    }
    // The seed depends on the bytes only, so the same bytes are split at the same places.
    let seed = bytes.iter().fold(bytes.len() as u64, |seed, byte| {
        seed.wrapping_mul(31).wrapping_add(u64::from(*byte))
    });
    crate::link::compare(bytes, &mut fastrand::Rng::with_seed(seed));
}
