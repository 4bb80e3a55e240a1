//! What a client sees, frame by frame: written once, held against every server found, so that the
//! embedded broker tells the truth.
//!
//! Where real servers differ from each other, the expectation lists what each of them does. Those
//! before 7.0 are left out: the broker knows what they do not.

mod clients;
mod delivery;
mod errors;
mod faults;
mod globs;
mod handshake;
mod invalidation;
mod keyspace;
mod subscribing;
mod support;
mod templates;

use std::process::ExitCode;

use tests::harness::Suite;
use tests::tests;

fn main() -> ExitCode {
    Suite::new("conformance")
        .since((7, 0))
        .on_every_server(handshake::tests())
        .on_every_server(errors::tests())
        .on_every_server(subscribing::tests())
        .on_every_server(delivery::tests())
        .on_every_server(globs::tests())
        .on_every_server(templates::tests())
        .on_every_server(keyspace::tests())
        .on_every_server(invalidation::tests())
        .on_every_server(clients::tests())
        .on_every_server(support::tests())
        .on_the_broker(faults::tests())
        .on_real_servers(tests![support::a_frozen_server_goes_on_where_it_stopped])
        .without_server(tests![support::a_wait_in_vain_names_what_it_waited_for])
        .run()
}
