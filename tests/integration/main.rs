//! The library against every server found.

use std::process::ExitCode;

use tests::harness::Suite;
use tests::tests;

fn main() -> ExitCode {
    Suite::new("integration").on_every_server(tests![]).run()
}
