//! The server that an example starts ends with the example.
#![cfg(unix)]

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const BOUND: Duration = Duration::from_secs(10);

/// The first server in `REAL_REDIS_BINS`, else one on PATH.
fn installed_server() -> Option<PathBuf> {
    if let Some(list) = env::var_os("REAL_REDIS_BINS") {
        return env::split_paths(&list).next();
    }
    let folders = env::split_paths(&env::var_os("PATH")?).collect::<Vec<_>>();
    ["valkey-server", "redis-server"]
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| path.is_file())
}

/// The compiled example. `cargo test` builds the examples, but `cargo test --test ending` does not.
fn ticker() -> PathBuf {
    let tests = env::current_exe().unwrap();
    let ticker = tests.ancestors().nth(2).unwrap().join("examples/ticker");
    assert!(ticker.is_file(), "run `cargo build -p examples --examples`");
    ticker
}

/// Starts the ticker with `server` as the only one on its PATH, sends it a signal when its server
/// runs, and waits until both have ended.
fn run_and_kill(server: &Path, signal: &str) {
    let path = env::temp_dir().join(format!("ticker-{}{signal}", std::process::id()));
    fs::create_dir_all(&path).unwrap();
    symlink(server, path.join("redis-server")).unwrap();
    let system = env::var_os("PATH").unwrap();
    let found = env::split_paths(&system).filter(|folder| !folder.join("valkey-server").exists());
    let folders = env::join_paths([path.clone()].into_iter().chain(found)).unwrap();
    let mut ticker = Command::new(ticker())
        .args(["--seconds", "600"])
        .env("PATH", folders)
        .env_remove("REDIS_URL")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut said = BufReader::new(ticker.stdout.take().unwrap());
    said.read_line(&mut first).unwrap();
    // Both write their errors there, so it ends when both have ended.
    let mut errors = ticker.stderr.take().unwrap();
    let (sender, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = sender.send(errors.read_to_end(&mut Vec::new()));
    });
    let status = Command::new("kill")
        .args([signal, &ticker.id().to_string()])
        .status();
    assert!(status.unwrap().success());
    let rest = ended.recv_timeout(BOUND);
    if rest.is_err() {
        ticker.kill().unwrap();
    }
    ticker.wait().unwrap();
    fs::remove_dir_all(path).unwrap();
    assert!(first.contains("a temporary redis-server"), "{first}");
    rest.expect("the server ends too").unwrap();
}

#[test]
fn the_server_of_an_example_ends_when_the_example_is_killed_or_hung_up() {
    let Some(server) = installed_server() else {
        eprintln!("skipped: no valkey-server or redis-server on PATH");
        return;
    };
    for signal in ["-KILL", "-HUP", "-TERM"] {
        if !leash::ignores(signal) {
            run_and_kill(&server, signal);
        }
    }
}
