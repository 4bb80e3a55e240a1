//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use tests::ServerBinary;

use crate::subject::Subject;

/// Tests every promise of redis-push under faults, against a server that the program starts, and
/// prints a line of JSON for each figure.
#[derive(Debug, Parser)]
#[command(name = "promises")]
pub(crate) struct Options {
    /// Fewer and shorter runs: under three minutes in all, instead of under thirty
    #[arg(long)]
    pub(crate) quick: bool,
    /// How often each scenario of a cluster and of sentinels is repeated [default: 20, once if quick]
    #[arg(long)]
    pub(crate) rounds: Option<usize>,
    /// The seed of random choices, to repeat a run [default: random]
    #[arg(long)]
    seed: Option<u64>,
    /// The server binary [default: the first of REAL_REDIS_BINS, else valkey-server or redis-server
    /// on PATH]
    #[arg(long)]
    server: Option<PathBuf>,
    /// The link to test
    #[arg(long, value_enum, default_value = "both")]
    link: Links,
    /// The promises to test, separated by commas [default: all]
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Print the table instead of the lines
    #[arg(long)]
    pub(crate) table: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Links {
    Manager,
    Wire,
    Both,
}

impl Options {
    pub(crate) fn seed(&self) -> u64 {
        self.seed.unwrap_or_else(|| fastrand::u64(..1_000_000))
    }

    pub(crate) fn server(&self) -> Result<ServerBinary, String> {
        if let Some(path) = &self.server {
            return ServerBinary::at(path).ok_or(format!("{} does not run", path.display()));
        }
        let found = ServerBinary::found()?;
        found
            .into_iter()
            .next()
            .ok_or_else(|| "no valkey-server or redis-server on PATH: set --server PATH".to_owned())
    }

    pub(crate) fn links(&self) -> &'static [Subject] {
        match self.link {
            Links::Manager => &[Subject::Manager],
            Links::Wire => &[Subject::Wire],
            Links::Both => &[Subject::Manager, Subject::Wire],
        }
    }

    /// The selected promises: all of `known` if none is selected.
    pub(crate) fn promises(&self, known: &[&'static str]) -> Result<Vec<&'static str>, String> {
        if self.only.is_empty() {
            return Ok(known.to_vec());
        }
        let find = |name: &String| {
            let mut known_names = known.iter().copied();
            known_names
                .find(|promise| promise.eq_ignore_ascii_case(name))
                .ok_or(format!(
                    "unknown promise `{name}`: choose from {}",
                    known.join(", ")
                ))
        };
        self.only.iter().map(find).collect()
    }
}
