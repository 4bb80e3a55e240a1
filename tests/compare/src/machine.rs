//! The machine, the server and the versions of a measurement.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

const LOCK: &str = include_str!("../../../Cargo.lock");
const CLIENTS: [&str; 6] = [
    "redis-push",
    "redis",
    "fred",
    "rustis",
    "ruststream",
    "ruststream-fred",
];

#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    /// Seconds since 1970.
    pub(crate) at: u64,
    cpu: String,
    cores: usize,
    /// The load average of the last minute before this program began.
    load: String,
    server: String,
    clients: BTreeMap<&'static str, String>,
}

impl Machine {
    pub(crate) fn here(server: &Path) -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let version = Command::new(server).arg("--version").output();
        let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let version = version.unwrap_or_default();
        let server: Vec<&str> = version
            .split_whitespace()
            .filter(|word| matches!(*word, "Redis" | "Valkey") || word.starts_with("v="))
            .collect();
        Self {
            at: since.map_or(0, |since| since.as_secs()),
            cpu: read("/proc/cpuinfo")
                .lines()
                .find_map(|line| line.strip_prefix("model name"))
                .map_or_else(String::new, |name| {
                    name.trim_start_matches([' ', '\t', ':']).to_owned()
                }),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            load: read("/proc/loadavg")
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned(),
            server: server.join(" ").replace("v=", ""),
            clients: CLIENTS.iter().map(|name| (*name, locked(name))).collect(),
        }
    }
}

/// The version of a package in the lock file.
fn locked(name: &str) -> String {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let rest = LOCK.split_once(&entry).map_or("", |(_, rest)| rest);
    rest.split('"').next().unwrap_or_default().to_owned()
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clients = self
            .clients
            .iter()
            .map(|(name, version)| format!("{name} {version}"));
        let clients: Vec<String> = clients.collect();
        let Self {
            cpu,
            cores,
            load,
            server,
            ..
        } = self;
        write!(
            f,
            "{cpu}, {cores} cores, load {load} before; {server}; {}",
            clients.join(", ")
        )
    }
}
