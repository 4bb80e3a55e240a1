//! Measures `redis-push` and other clients that do the same job.
//!
//! The program has six roles. The first is the comparison itself ([`bench`]), which starts the
//! others as processes: a client under measurement ([`client`]), the canned source ([`canned`]),
//! the publisher of the real source ([`publisher`]), a bare decoder, whose cost is subtracted where
//! a column says so, and one of the [`pieces`] on the way of a push.

mod bench;
mod callgrind;
mod canned;
mod cell;
mod client;
pub mod cluster;
mod coming;
mod guard;
mod instructions;
mod job;
mod lanes;
mod machine;
mod many;
mod options;
mod payload;
mod peers;
pub mod pieces;
mod plan;
mod plot;
mod process;
mod publisher;
mod readers;
mod resp;
mod run;
mod server;
mod table;
mod usage;
mod weight;

use std::error::Error;
use std::process::ExitCode;

/// Compiles the code for fred on the page "Coming from" of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../../runtime/docs/coming-from-fred.md")]
struct ComingFromFred;

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// Runs the role that the command line names. `allocations` returns how many allocations this
/// process has made so far.
pub fn main(allocations: Option<fn() -> u64>) -> ExitCode {
    if let Some(count) = allocations {
        usage::count_allocations_with(count);
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        [client::ROLE, job, port] => client::main(job, port),
        [canned::ROLE, job] => canned::main(job),
        [publisher::ROLE, job, port] => publisher::main(job, port),
        [callgrind::DECODE_ROLE, times] => callgrind::decode(times),
        [callgrind::PIECE_ROLE, name, times] => callgrind::piece(name, times),
        _ => bench::main(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
