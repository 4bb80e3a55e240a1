//! Runs the functions of the fuzz targets in `cargo test`, on every seed and on random mutations.
//!
//! `FUZZ_SEED` repeats a run, and `FUZZ_MUTATIONS` sets the number of mutations for each target.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use tests::fuzz::{TARGETS, Target};

/// The seeds in the repository, and generated ones that are too large to be stored there.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    let mut seeds: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read(&path).unwrap())
        })
        .collect();
    seeds.sort();
    assert!(seeds.len() >= 10, "{} has too few seeds", folder.display());
    if target == "decode" {
        seeds.extend(large_payloads());
    }
    seeds
}

fn large_payloads() -> Vec<(String, Vec<u8>)> {
    let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
    let key = "k".repeat(1 << 20);
    [
        ("200_levels", nested(200)),
        ("100_000_levels", nested(100_000)),
        ("100_000_levels_unclosed", r#"{"a":"#.repeat(100_000)),
        ("a_key_of_1_mb", format!(r#"{{"{key}":1,"bid":2}}"#)),
        ("a_number_of_1_mb", "9".repeat(1 << 20)),
        ("a_text_of_1_mb", format!(r#""{key}""#)),
        (
            "duplicate_keys",
            format!("{{{}}}", vec![r#""bid":1"#; 10_000].join(",")),
        ),
    ]
    .map(|(name, payload)| (name.to_owned(), format!("q.ACME\n{payload}").into_bytes()))
    .into()
}

/// Mutates a random seed in one to four places, like a fuzzer.
fn mutated(seeds: &[(String, Vec<u8>)], random: &mut fastrand::Rng) -> Vec<u8> {
    // Mutations of large seeds would take most of the time.
    let small: Vec<_> = seeds
        .iter()
        .filter(|(_, bytes)| bytes.len() < 8_192)
        .collect();
    let mut bytes = random.choice(&small).unwrap().1.clone();
    for _ in 0..random.usize(1..=4) {
        let at = random.usize(0..=bytes.len());
        let end = random.usize(at..=bytes.len()).min(at + 40);
        match random.u8(..7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.u8(..8),
            1 if at < bytes.len() => bytes[at] = random.u8(..),
            2 => bytes.insert(at, random.u8(..)),
            3 => drop(bytes.drain(at..end)),
            4 => bytes.truncate(at),
            5 => {
                let copy = bytes[at..end].to_vec();
                let to = random.usize(0..=bytes.len());
                bytes.splice(to..to, copy);
            }
            _ => {
                let other = &random.choice(&small).unwrap().1;
                let from = random.usize(0..=other.len());
                bytes.splice(at.., other[from..].iter().copied());
            }
        }
    }
    bytes
}

fn run(target: Target, what: &str, bytes: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(bytes))) {
        let shown = &bytes[..bytes.len().min(4_096)];
        eprintln!("{what} failed on b\"{}\"", shown.escape_ascii());
        resume_unwind(panic);
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn every_seed_and_its_mutations_hold() {
    let seed = number("FUZZ_SEED").unwrap_or_else(|| fastrand::u64(..));
    let mutations = number("FUZZ_MUTATIONS").unwrap_or(5_000);
    println!("FUZZ_SEED={seed} repeats this run");
    let mut random = fastrand::Rng::with_seed(seed);
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        for (seed, bytes) in &seeds {
            run(target, &format!("{name}: the seed {seed}"), bytes);
        }
        for index in 0..mutations {
            let bytes = mutated(&seeds, &mut random);
            run(target, &format!("{name}: mutation {index}"), &bytes);
        }
    }
}
