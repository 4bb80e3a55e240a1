//! Clients in a cluster.
//!
//! | file | contents |
//! | --- | --- |
//! | `peers` | the clients |
//! | `cost` | what a message costs over one and three primaries |

mod cost;
mod peers;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use promises::cluster::{Heard, Scenario, peer};
use tests::ServerBinary;

use crate::Result;
use peers::Peer;

/// Lets clients go through what happens to the nodes of a cluster, and counts what they miss.
#[derive(Debug, Parser)]
#[command(name = "compare-cluster")]
struct Options {
    /// The server [default: the first of REAL_REDIS_BINS, else valkey-server or redis-server on PATH]
    #[arg(long)]
    server: Option<PathBuf>,
    /// How often each scenario is run for each client
    #[arg(long, default_value_t = 3)]
    rounds: u64,
    /// Only measure what a message costs over one and three primaries
    #[arg(long)]
    cost: bool,
    /// Only run the scenarios
    #[arg(long)]
    scenarios: bool,
}

/// Runs the program, or its publisher.
pub fn main() -> ExitCode {
    if let Some(code) = cost::role() {
        return code;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match runtime.block_on(run(&Options::parse())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<()> {
    let binary = match &options.server {
        Some(path) => ServerBinary::at(path),
        None => ServerBinary::found()?.into_iter().next(),
    };
    let binary = binary.ok_or("no server: set --server PATH")?;
    println!("On {}:\n", binary.name());
    if !options.cost {
        scenarios(&binary, options.rounds).await;
    }
    if !options.scenarios {
        cost::measure(&binary, options.rounds).await?;
    }
    Ok(())
}

async fn scenarios(binary: &ServerBinary, rounds: u64) {
    println!(
        "| | client | acknowledged | received | lost, reported | lost, unreported | … if notices of disconnections \
         were gaps | twice or out of order | deaf at the end |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    );
    for scenario in [
        Scenario::SlotsMove,
        Scenario::SlotsMoveAtOnce,
        Scenario::PlannedFailover,
        Scenario::Kill,
    ] {
        for client in Peer::ALL {
            let mut sum = Heard::default();
            for round in 0..rounds {
                let start = async |urls, lanes| client.start(urls, lanes).await;
                let Some(heard) = peer(binary, scenario, round, start).await else {
                    continue;
                };
                sum.acknowledged += heard.acknowledged;
                sum.heard += heard.heard;
                sum.reported += heard.reported;
                sum.unreported += heard.unreported;
                sum.without_notice += heard.without_notice;
                sum.disordered += heard.disordered;
                sum.lanes += heard.lanes;
                sum.deaf += heard.deaf;
            }
            if sum.lanes > 0 {
                println!(
                    "| {} | {} | {} | {} | {} | {} | {} | {} | {} of {} |",
                    scenario.name(),
                    client.name(),
                    sum.acknowledged,
                    sum.heard,
                    sum.reported,
                    sum.unreported,
                    sum.without_notice,
                    sum.disordered,
                    sum.deaf,
                    sum.lanes,
                );
            }
        }
    }
    println!();
}
