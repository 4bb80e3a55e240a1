//! `redis-push` measured beside other ways to do its job.
//!
//! One program in six roles: the comparison itself ([`bench`]), and the processes it starts: a
//! client under measurement ([`client`]), the canned source ([`feed`]), the publisher of the real
//! source ([`publisher`]), a bare decoder, whose cost is taken off where a column says so, and one
//! of the [`pieces`] of a push's way.

mod bench;
mod callgrind;
mod cell;
mod client;
mod feed;
mod guard;
mod instructions;
mod job;
mod lanes;
mod machine;
mod options;
mod payload;
mod peers;
pub mod pieces;
mod plan;
mod plot;
mod process;
mod publisher;
mod resp;
mod run;
mod server;
mod table;
mod usage;
mod weight;

use std::error::Error;
use std::process::ExitCode;

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// Runs the role that the command line names; `allocations` counts those of this process so far.
pub fn main(allocations: Option<fn() -> u64>) -> ExitCode {
    if let Some(count) = allocations {
        usage::count_allocations_with(count);
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        [client::ROLE, job, port] => client::main(job, port),
        [feed::ROLE, job] => feed::main(job),
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
