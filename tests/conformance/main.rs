//! The frames that a client receives, tested on the embedded broker and on every real server that is
//! found, so that the broker behaves like a real server.
//!
//! Where real servers differ, a test expects what each of them does. Servers before 7.0 lack commands that
//! the broker has, so only the tests of `data`, `transactions` and `watching` run on them.

mod clients;
mod cluster;
mod data;
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
mod transactions;
mod watching;

use std::process::ExitCode;

use tests::harness::Suite;
use tests::tests;

fn main() -> ExitCode {
    Suite::new("conformance")
        .since((6, 2))
        .on_every_server(data::tests())
        .on_every_server(transactions::tests())
        .on_every_server(watching::tests())
        .since((7, 0))
        .on_every_server(data::since_7())
        .on_every_server(transactions::since_7())
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
        .on_every_cluster(cluster::tests())
        .on_the_broker(faults::tests())
        .on_real_servers(tests![support::a_resumed_server_continues_where_it_stopped])
        .without_server(tests![support::a_timeout_names_what_was_waited_for])
        .run()
}
