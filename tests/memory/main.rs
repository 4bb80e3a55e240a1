//! Allocations on the way of a push, and the memory of messages that wait. The allocator counts for the
//! whole program, so these tests are a separate program and run one after the other.
//!
//! ```sh
//! cargo test --release -p tests --test memory -- --nocapture   # prints resident memory too
//! ```

mod idle;
mod layers;
mod limit;
mod mounting;
mod streams;

use std::alloc::System;
use std::future::pending;
use std::hint::black_box;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use redis_push::__bench::{Way, message};
use redis_push::{Json, push_handler};
use serde::Deserialize;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    args.test_threads = Some(1);
    let tests: [(&str, fn()); 15] = [
        (
            "nothing_is_allocated_between_the_dispatcher_and_the_handlers_body",
            nothing_is_allocated_between_the_dispatcher_and_the_handlers_body,
        ),
        (
            "a_batch_costs_two_allocations_at_most",
            a_batch_costs_two_allocations_at_most,
        ),
        (
            "a_stuck_handler_holds_less_than_four_times_its_messages",
            a_stuck_handler_holds_less_than_four_times_its_messages,
        ),
        (
            "an_idle_handler_weighs_less_than_3200_bytes",
            idle::an_idle_handler_weighs_less_than_3200_bytes,
        ),
        (
            "each_layer_costs_one_allocation_and_the_handler_behind_them_another",
            layers::each_layer_costs_one_allocation_and_the_handler_behind_them_another,
        ),
        (
            "replaced_messages_keep_no_memory_beyond_the_limit",
            limit::replaced_messages_keep_no_memory_beyond_the_limit,
        ),
        (
            "many_stuck_handlers_with_one_large_message_each_stay_within_the_limit",
            limit::many_stuck_handlers_with_one_large_message_each_stay_within_the_limit,
        ),
        (
            "many_stuck_handlers_stay_within_the_limit_after_a_burst",
            limit::many_stuck_handlers_stay_within_the_limit_after_a_burst,
        ),
        (
            "raw_pushes_that_nobody_reads_stay_within_the_limit",
            limit::raw_pushes_that_nobody_reads_stay_within_the_limit,
        ),
        (
            "idle_handlers_give_the_memory_of_a_burst_back",
            limit::idle_handlers_give_the_memory_of_a_burst_back,
        ),
        (
            "to_mount_a_handler_does_not_cost_what_is_mounted",
            mounting::to_mount_a_handler_does_not_cost_what_is_mounted,
        ),
        (
            "what_waits_for_a_handler_goes_soon_after_it",
            mounting::what_waits_for_a_handler_goes_soon_after_it,
        ),
        (
            "a_stream_weighs_less_than_a_kibibyte_and_beside_another_of_its_name_300_bytes",
            streams::a_stream_weighs_less_than_a_kibibyte_and_beside_another_of_its_name_300_bytes,
        ),
        (
            "streams_that_have_ended_leave_nothing",
            streams::streams_that_have_ended_leave_nothing,
        ),
        (
            "a_message_is_held_once_for_all_streams_of_its_name",
            streams::a_message_is_held_once_for_all_streams_of_its_name,
        ),
    ];
    let trial = |(name, test): (&str, fn())| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    libtest_mimic::run(&args, tests.map(trial).into()).exit_code()
}

const PAYLOAD: &[u8] = br#"{"symbol":"ACME0001","venue":"XETR-FRANKFURT-XETRA","bid":101.25,"ask":101.27,"at":               1}"#;

/// How many bursts run before allocations are counted.
const WARM_UP: u64 = 5;

#[derive(Deserialize)]
struct Quote<'a> {
    symbol: &'a str,
    venue: &'a str,
    bid: f64,
    ask: f64,
    at: u64,
}

#[push_handler(channel = "quotes")]
async fn on_quote(Json(quote): Json<Quote<'_>>) {
    black_box((quote.symbol, quote.venue, quote.bid, quote.ask, quote.at));
}

#[push_handler(channel = "quotes")]
async fn on_quote_stuck(Json(quote): Json<Quote<'_>>) {
    black_box(quote.at);
    pending::<()>().await;
}

/// Runs `rounds` bursts of `burst` pushes, each of which every handler handles. Returns the number of
/// allocations.
fn run(way: &mut Way, burst: u64, rounds: u64) -> u64 {
    let push = message("quotes", PAYLOAD);
    let region = Region::new(ALLOCATOR);
    for _ in 0..rounds {
        (0..burst).for_each(|_| way.push(&push));
        way.deliver();
    }
    let change = region.change();
    (change.allocations + change.reallocations) as u64
}

fn nothing_is_allocated_between_the_dispatcher_and_the_handlers_body() {
    for handlers in [1, 8, 100] {
        for burst in [1, 10] {
            for is_timed in [false, true] {
                let quotes = (0..handlers).map(|_| on_quote {});
                let mut way = if is_timed {
                    Way::timed(quotes)
                } else {
                    Way::new(quotes)
                };
                run(&mut way, burst, WARM_UP);
                let before = way.handled();
                let allocations = run(&mut way, burst, 100);
                assert_eq!(way.handled() - before, handlers * burst * 100);
                assert_eq!(allocations, 0, "{handlers} handlers, {burst} at once");
            }
        }
    }
}

fn a_batch_costs_two_allocations_at_most() {
    for handlers in [1, 8] {
        for burst in [64, 300, 1_000, 5_000] {
            let mut way = Way::new((0..handlers).map(|_| on_quote {}));
            run(&mut way, burst, WARM_UP);
            let (handled, batches) = (way.handled(), way.batches());
            let allocations = run(&mut way, burst, 5);
            let (handled, batches) = (way.handled() - handled, way.batches() - batches);
            assert_eq!(handled, handlers * burst * 5);
            let found = format!("{allocations} for {batches} batches and {handled} deliveries");
            println!("{handlers} handlers, {burst} at once: {found}");
            // The queue of batches may grow once more.
            assert!(allocations <= 2 * batches + 1, "{found}");
        }
    }
}

fn a_stuck_handler_holds_less_than_four_times_its_messages() {
    const FULL: usize = 65_536;
    let push = message("quotes", PAYLOAD);
    let mut way = Way::new([on_quote_stuck {}]);
    way.push(&push);
    way.deliver();
    let resident = resident_kib();
    let region = Region::new(ALLOCATOR);
    (0..2 * FULL).for_each(|_| way.push(&push));
    way.deliver();
    let held = held(&region);
    let resident = resident_kib() - resident;
    assert_eq!(way.handled(), 0, "the handler is stuck");
    let size = (FULL * PAYLOAD.len()) as f64;
    let times = held as f64 / size;
    println!(
        "{times:.2} times the size of {FULL} messages of {} bytes; resident {:.2} times",
        PAYLOAD.len(),
        resident as f64 * 1024.0 / size
    );
    assert!(
        (1.0..4.0).contains(&times),
        "holds {times:.2} times the size of the messages"
    );
}

/// Returns how many bytes are allocated that were not allocated when the region began.
fn held(region: &Region<'_, System>) -> usize {
    let change = region.change();
    change
        .bytes_allocated
        .saturating_sub(change.bytes_deallocated)
}

/// Resident memory of this process in KiB. Zero where there is no `/proc`.
fn resident_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or(0)
}
