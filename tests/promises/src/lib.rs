//! Tests every promise of the guide under faults, and prints the figures.
//!
//! ```sh
//! cargo run --release -p promises -- --quick
//! ```
//!
//! A line of JSON for each figure goes to standard output as soon as it is known, and the table goes
//! to standard error at the end. The program fails if a figure of the library misses its target.
//! Times are only reported, unless the promise names a target.
//!
//! This is a library because the program `compare-cluster` lets other clients go through what happens to the
//! nodes of a [`cluster`] here.

mod capture;
mod chaos;
pub mod cluster;
mod coming;
mod conservation;
mod context;
mod controls;
mod corpus;
mod crowd;
mod deaf;
mod denied;
mod downgrade;
mod drain;
mod exposure;
mod figure;
mod heart;
mod held;
mod isolation;
mod ledger;
mod listener;
mod loss;
mod memory;
mod options;
mod panics;
mod poison;
mod publisher;
mod replies;
mod report;
mod schedule;
mod secrets;
mod sentinels;
mod silence;
mod spans;
mod stalled;
pub mod stream;
mod subject;
mod synced;
mod typed;
mod whim;

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use futures_util::future::join_all;

use context::Context;
use figure::Figure;
use options::Options;
use report::Report;
use subject::Subject;

/// Promises that are tested in one run.
struct Group {
    promises: &'static [&'static str],
    run: fn(Context) -> Running,
    /// Whether the controls are tested too.
    has_controls: bool,
    /// Whether the run mostly waits. Such groups and their subjects run concurrently, at the end.
    is_idle: bool,
}

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

const GROUPS: &[Group] = &[
    Group {
        promises: &["P1"],
        run: |context| Box::pin(conservation::run(context)),
        has_controls: false,
        is_idle: false,
    },
    Group {
        promises: &["P2", "P3", "P4"],
        run: |context| Box::pin(loss::run(context)),
        has_controls: true,
        is_idle: false,
    },
    Group {
        promises: &["P2"],
        run: |context| Box::pin(stalled::run(context)),
        has_controls: false,
        is_idle: false,
    },
    Group {
        promises: &["P5"],
        run: |context| Box::pin(deaf::run(context)),
        has_controls: true,
        is_idle: true,
    },
    Group {
        promises: &["P6"],
        run: |context| Box::pin(silence::run(context)),
        has_controls: false,
        is_idle: true,
    },
    Group {
        promises: &["P7"],
        run: |context| Box::pin(denied::run(context)),
        has_controls: false,
        is_idle: true,
    },
    Group {
        promises: &["P8"],
        run: |context| Box::pin(isolation::run(context)),
        has_controls: false,
        is_idle: false,
    },
    Group {
        promises: &["P9"],
        run: |context| Box::pin(memory::run(context)),
        has_controls: false,
        is_idle: false,
    },
    Group {
        promises: &["P9"],
        run: |context| Box::pin(crowd::run(context)),
        has_controls: false,
        is_idle: false,
    },
    Group {
        promises: &["P10"],
        run: |context| Box::pin(poison::run(context)),
        has_controls: false,
        is_idle: false,
    },
    Group {
        promises: &["P11"],
        run: |context| Box::pin(drain::run(context)),
        has_controls: false,
        is_idle: false,
    },
    Group {
        promises: &["P12"],
        run: |context| Box::pin(secrets::run(context)),
        has_controls: false,
        is_idle: true,
    },
    Group {
        promises: &["P13"],
        run: |context| Box::pin(downgrade::run(context)),
        has_controls: false,
        is_idle: true,
    },
    Group {
        promises: &["P14"],
        run: |context| Box::pin(coming::run(context)),
        has_controls: false,
        is_idle: false,
    },
    Group {
        promises: &["P15"],
        run: |context| Box::pin(synced::run(context)),
        has_controls: false,
        is_idle: false,
    },
    Group {
        promises: &["P16"],
        run: |context| Box::pin(spans::run(context)),
        has_controls: false,
        is_idle: false,
    },
    Group {
        promises: &["P17"],
        run: |context| Box::pin(held::run(context)),
        has_controls: false,
        is_idle: false,
    },
    Group {
        promises: &["P18"],
        run: |context| Box::pin(replies::run(context)),
        has_controls: false,
        is_idle: false,
    },
    Group {
        promises: &["P19"],
        run: |context| Box::pin(cluster::run(context)),
        has_controls: false,
        is_idle: false,
    },
    Group {
        promises: &["P20"],
        run: |context| Box::pin(sentinels::run(context)),
        has_controls: false,
        is_idle: true,
    },
];

/// Runs the program.
#[tokio::main]
pub async fn main() -> ExitCode {
    if let Some(code) = held::role().await {
        return code;
    }
    match run(Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<bool, String> {
    let mut known = Vec::new();
    for promise in GROUPS.iter().flat_map(|group| group.promises) {
        if !known.contains(promise) {
            known.push(*promise);
        }
    }
    let wanted = options.promises(&known)?;
    let binary = options.server()?;
    let seed = options.seed();
    let size = if options.quick { "quick" } else { "full" };
    eprintln!("promises on {}, {size}, --seed {seed}", binary.name());
    panics::install_hook();
    heart::watch();
    let report = Report::new(&wanted, !options.table);
    let begun = Instant::now();
    let is_wanted = |group: &&Group| {
        let mut promises = group.promises.iter();
        promises.any(|promise| wanted.contains(promise))
    };
    let (idle, busy): (Vec<_>, Vec<_>) = GROUPS
        .iter()
        .filter(is_wanted)
        .partition(|group| group.is_idle);
    let runs = |group: &'static Group| {
        let controls = if group.has_controls {
            Subject::CONTROLS
        } else {
            &[]
        };
        let subjects = options.links().iter().chain(controls);
        let contexts = subjects.map(|subject| Context {
            binary: binary.clone(),
            quick: options.quick,
            seed,
            subject: *subject,
            rounds: options.rounds,
            report: report.clone(),
        });
        contexts
            .map(|context| run_group(group, context))
            .collect::<Vec<_>>()
    };
    for run in busy.into_iter().flat_map(runs) {
        run.await;
    }
    join_all(idle.into_iter().flat_map(runs)).await;
    let table = report.table();
    if options.table {
        println!("{table}");
    } else {
        eprintln!("\n{table}");
    }
    let (failed, all) = report.failures();
    let took = begun.elapsed().as_secs();
    eprintln!(
        "{} of {all} figures hold, {took} s, --seed {seed}",
        all - failed
    );
    Ok(failed == 0 && all > 0)
}

/// Runs a group for one subject. A panic or a timeout becomes a figure that misses its target.
async fn run_group(group: &Group, context: Context) {
    let bound = context.pick(Duration::from_secs(120), Duration::from_secs(2_700));
    let begun = Instant::now();
    let mut task = tokio::spawn((group.run)(context.clone()));
    let problem = match tokio::time::timeout(bound, &mut task).await {
        Ok(Ok(())) => None,
        Ok(Err(panic)) => Some(panics::text_of(panic)),
        Err(_) => {
            task.abort();
            Some(format!("the run did not end within {bound:?}"))
        }
    };
    if let Some(problem) = problem {
        for promise in group.promises {
            let figure = Figure::new(promise, "run to its end", 0).must_be(1);
            context.record(figure.detail(serde_json::json!({"problem": problem})));
        }
    }
    let took = begun.elapsed().as_secs_f64();
    eprintln!(
        "{} on {}: {took:.1} s",
        group.promises.join(", "),
        context.subject.name()
    );
}
