//! Measures how long the macros take to compile, compared with the same code without them.
//!
//! Writes crates of a hundred handlers or messages, runs `cargo check` and `cargo build` on each of
//! them several times with all dependencies already built, and prints a Markdown table of medians:
//!
//! ```sh
//! cargo run -p tests --bin compile_time
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const COUNT: usize = 100;
const ROUNDS: usize = 7;

/// Writes one of the items.
type Item = fn(usize) -> String;

/// The crates: functions without and with the attribute, types without and with the derive.
const CRATES: [(&str, Item); 6] = [
    ("plain functions", |n| {
        format!(
            "pub async fn on_{n}(order: Json<Order>, channel: ChannelName<'_>) {{ \
             let _ = (order, channel); }}"
        )
    }),
    ("handlers", |n| {
        format!(
            "#[push_handler(channel = \"orders.{{id}}.{n}\")] \
             pub async fn on_{n}(order: Json<Order>, channel: ChannelName<'_>) {{ \
             let _ = (order, channel); }}"
        )
    }),
    ("plain structs", |n| {
        format!("pub struct Quote{n} {{ pub symbol: String, pub bid: f64, pub ask: f64 }}")
    }),
    ("structs with serde's derives", |n| {
        format!(
            "#[derive(Serialize, Deserialize)] \
             pub struct Quote{n} {{ pub symbol: String, pub bid: f64, pub ask: f64 }}"
        )
    }),
    ("messages", |n| {
        format!(
            "#[derive(PushMessage)] #[push(channel = \"quotes.{n}.{{symbol}}\")] \
             pub struct Quote{n} {{ pub symbol: String, pub bid: f64, pub ask: f64 }}"
        )
    }),
    ("messages, receive_only", |n| {
        format!(
            "#[derive(PushMessage)] #[push(channel = \"quotes.{n}.{{symbol}}\", receive_only)] \
             pub struct Quote{n} {{ pub symbol: String, pub bid: f64, pub ask: f64 }}"
        )
    }),
];

fn main() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies in the workspace");
    let scratch = workspace.join("target/compile-time");
    let crates: Vec<_> = CRATES
        .iter()
        .enumerate()
        .map(|(index, (name, item))| (*name, write(workspace, &scratch, index, *item)))
        .collect();
    println!("| {COUNT} of them | `cargo check` | each | `cargo build --release` | each |");
    println!("| --- | --- | --- | --- | --- |");
    let mut times = vec![[Vec::new(), Vec::new()]; crates.len()];
    // The first round builds the dependencies and is not counted.
    for round in 0..=ROUNDS {
        for ((_, dir), times) in crates.iter().zip(&mut times) {
            for (command, times) in [&["check"][..], &["build", "--release"]].iter().zip(times) {
                let time = run(dir, &scratch, command);
                if round > 0 {
                    times.push(time);
                }
            }
        }
    }
    let base = |index: usize| if index < 2 { 0 } else { 2 };
    let medians: Vec<_> = times
        .iter_mut()
        .map(|both| both.each_mut().map(|times| median(times)))
        .collect();
    for (index, (name, _)) in crates.iter().enumerate() {
        let cells = (0..2).map(|column| {
            let own = medians[index][column];
            let more = own.as_secs_f64() - medians[base(index)][column].as_secs_f64();
            let each = more * 1_000.0 / COUNT as f64;
            format!("{:.0} ms | {each:.1} ms", own.as_secs_f64() * 1_000.0)
        });
        let cells: Vec<_> = cells.collect();
        println!("| {name} | {} |", cells.join(" | "));
    }
}

/// Writes a crate of [`COUNT`] such items.
fn write(workspace: &Path, scratch: &Path, index: usize, item: Item) -> PathBuf {
    let dir = scratch.join(format!("case-{index}"));
    fs::create_dir_all(dir.join("src")).expect("a folder for the crate");
    let runtime = workspace.join("runtime");
    let manifest = format!(
        "[package]\nname = \"case-{index}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nredis-push = {{ path = {runtime:?} }}\n\
         serde = {{ version = \"1\", features = [\"derive\"] }}\n\n[workspace]\n"
    );
    let mut code = String::from(
        "#![allow(unused_imports, dead_code)]\n\
         use redis_push::{ChannelName, Json, PushMessage, push_handler};\n\
         use serde::{Deserialize, Serialize};\n\
         #[derive(Deserialize)]\npub struct Order { pub id: u64 }\n",
    );
    for n in 0..COUNT {
        code.push_str(&item(n));
        code.push('\n');
    }
    fs::write(dir.join("Cargo.toml"), manifest).expect("a manifest");
    fs::write(dir.join("src/lib.rs"), code).expect("the code");
    // The same versions as in the workspace.
    fs::copy(workspace.join("Cargo.lock"), dir.join("Cargo.lock")).expect("a lock file");
    dir
}

/// Compiles only this crate, and returns how long that took.
fn run(dir: &Path, scratch: &Path, command: &[&str]) -> Duration {
    let code = dir.join("src/lib.rs");
    let text = fs::read(&code).expect("the code");
    fs::write(&code, text).expect("the code");
    let began = Instant::now();
    let status = Command::new(env!("CARGO"))
        .args(command)
        .arg("--quiet")
        .current_dir(dir)
        .env("CARGO_TARGET_DIR", scratch.join("target"))
        .env("CARGO_INCREMENTAL", "0")
        .stdin(Stdio::null())
        .status();
    let time = began.elapsed();
    assert!(
        status.is_ok_and(|status| status.success()),
        "{}",
        dir.display()
    );
    time
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
