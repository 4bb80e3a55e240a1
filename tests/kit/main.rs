//! Tests of the test kit: one scenario on the embedded broker with a paused clock and on every real server,
//! mistakes that it has to find, and its faults.

use std::future::Future;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use redis_push::testing::TestKit;
use tests::harness::Suite;
use tests::{RealServer, Server, tests};

mod app;
mod limits;
mod mistakes;
mod scenario;

use app::{Mistake, app};
use limits::*;
use mistakes::*;
use scenario::scenario;

fn main() -> ExitCode {
    Suite::new("kit")
        .bound(Duration::from_secs(240))
        .without_server(tests![
            the_scenario_passes_many_times_with_a_paused_clock,
            a_skipped_handler_is_found,
            a_swallowed_gap_is_found,
            a_message_that_is_published_twice_is_found,
            a_message_that_is_decoded_wrongly_is_found,
            handlers_that_answer_each_other_are_named,
            a_handler_that_does_not_end_is_named,
            a_wait_for_a_gap_that_does_not_come_ends_by_a_timeout,
            a_connection_that_cannot_be_redirected_is_named,
            a_name_that_is_denied_is_reported_and_comes_back,
            a_live_run_refuses_a_paused_clock,
            two_kits_on_one_runtime_do_not_share_a_publisher,
            hours_pass_in_seconds,
            key_events_and_caches_work,
            one_handler_is_called_without_a_server,
        ])
        .on_every_server(tests![
            the_scenario_passes_with_the_clock_of_the_system,
            an_outage_of_no_length_is_an_outage,
        ])
        .on_real_servers(tests![
            the_scenario_passes_over_the_wire_link,
            faults_that_a_live_server_does_not_have_are_refused,
        ])
        .run()
}

/// Runs a future on a runtime with one thread and a paused clock, as `#[tokio::test(start_paused = true)]`
/// does.
fn paused<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(future)
}

/// The same from a test, which has a runtime of its own.
async fn run_paused<T, R>(future: impl FnOnce() -> R + Send + 'static) -> T
where
    T: Send + 'static,
    R: Future<Output = T>,
{
    let run = tokio::task::spawn_blocking(move || paused(future()));
    match run.await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Repeats the scenario: 100 times, or `KIT_RUNS` times. The pauses before reconnections are random, and the
/// number of a run is their seed.
async fn the_scenario_passes_many_times_with_a_paused_clock() {
    let runs = std::env::var("KIT_RUNS").map_or(100, |runs| runs.parse().unwrap());
    let first = std::env::var("KIT_SEED").map_or(0, |seed| seed.parse().unwrap());
    tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        let mut longest = Duration::ZERO;
        for seed in first..first + runs {
            fastrand::seed(seed);
            let run = Instant::now();
            let result = paused(async {
                let kit = TestKit::start(app("redis://unused/", Mistake::None)).await?;
                scenario(kit).await
            });
            result.unwrap_or_else(|error| panic!("KIT_SEED={seed}: {error}"));
            longest = longest.max(run.elapsed());
        }
        let all = begun.elapsed();
        eprintln!(
            "{runs} runs of the scenario with a paused clock: {:.1?} each, {longest:.1?} at most",
            all / u32::try_from(runs).unwrap()
        );
    })
    .await
    .unwrap();
}

async fn the_scenario_passes_with_the_clock_of_the_system(server: Server) {
    let kit = TestKit::live(app("redis://unused/", Mistake::None), server.url());
    scenario(kit.await.unwrap()).await.unwrap();
}

async fn the_scenario_passes_over_the_wire_link(server: RealServer) {
    let app = app("redis://unused/", Mistake::None).wire();
    let kit = TestKit::live(app, server.url()).await.unwrap();
    scenario(kit).await.unwrap();
    let app = self::app("redis://unused/", Mistake::None).wire();
    run_paused(|| async { scenario(TestKit::start(app).await?).await })
        .await
        .unwrap();
}
