//! The command line.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};

use crate::job::{Source, Workload};
use crate::peers::Peer;

/// Measures redis-push and other clients that do the same job.
#[derive(Debug, Parser)]
#[command(name = "compare")]
pub(crate) struct Options {
    /// Fewer messages and three rounds: checks that everything runs, not how fast it is
    #[arg(long)]
    pub(crate) quick: bool,
    /// The workloads to run, separated by commas [default: all]
    #[arg(long, value_delimiter = ',', ignore_case = true)]
    workload: Vec<Workload>,
    /// The peers to run, separated by commas [default: all]
    #[arg(long, value_delimiter = ',')]
    peer: Vec<Peer>,
    /// Numbers of handlers for W1, W2, W3 and W7, instead of the workload's own. In W4, how many share the
    /// deliveries
    #[arg(long, value_delimiter = ',')]
    pub(crate) handlers: Vec<NonZeroUsize>,
    /// The source of messages [default: both]
    #[arg(long, value_delimiter = ',')]
    source: Vec<Source>,
    /// The server of the real source [default: redis-server or valkey-server on PATH]
    #[arg(long)]
    server: Option<PathBuf>,
    /// Rounds, each of which runs every peer once [default: 7 for W1, W2, W3 and W8, 3 for the
    /// others, and 3 with --quick]
    #[arg(long)]
    rounds: Option<usize>,
    /// For how many milliseconds of each second redis-push's wire link waits for slow handlers while others are
    /// idle [default: that of redis-push]
    #[arg(long)]
    pub(crate) wire_wait: Option<u64>,
    /// The directory of results and plots
    #[arg(long, default_value = "target/compare")]
    pub(crate) out: PathBuf,
    /// Count instructions in W4, with valgrind
    #[arg(long)]
    pub(crate) instructions: bool,
    /// Only check that W1 has not become slow against the floor and the seed pattern, and loses
    /// nothing
    #[arg(long)]
    pub(crate) guard: bool,
}

impl Options {
    pub(crate) fn workloads(&self) -> Vec<Workload> {
        all_if_empty(&self.workload)
    }

    pub(crate) fn peers(&self) -> Vec<Peer> {
        all_if_empty(&self.peer)
    }

    pub(crate) fn has_source(&self, source: Source) -> bool {
        self.source.is_empty() || self.source.contains(&source)
    }

    /// The number of rounds. Fewer suffice where counts are compared, not times.
    pub(crate) fn rounds(&self, workload: Workload) -> usize {
        let is_timed = matches!(
            workload,
            Workload::W1 | Workload::W2 | Workload::W3 | Workload::W8
        );
        let usual = if is_timed && !self.quick { 7 } else { 3 };
        self.rounds.unwrap_or(usual).max(1)
    }

    pub(crate) fn server(&self) -> crate::Result<PathBuf> {
        if let Some(path) = &self.server {
            return Ok(path.clone());
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path = |name: &str| {
            std::env::split_paths(&path)
                .map(|dir| dir.join(name))
                .find(|file: &PathBuf| Path::is_file(file))
        };
        ["redis-server", "valkey-server"]
            .into_iter()
            .find_map(on_path)
            .ok_or_else(|| "no redis-server or valkey-server on PATH: set --server PATH".into())
    }
}

fn all_if_empty<T: ValueEnum>(chosen: &[T]) -> Vec<T> {
    if chosen.is_empty() {
        T::value_variants()
    } else {
        chosen
    }
    .to_vec()
}
