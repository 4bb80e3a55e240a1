//! Holds the public API of `redis-push` to the snapshot in `redis-push.txt`, and to the crates whose
//! types it may name.
//!
//! Both are read from the JSON of rustdoc, with all features. A change that is meant is written to
//! the snapshot, and reviewed there:
//!
//! ```sh
//! UPDATE_SNAPSHOTS=1 cargo test -p api
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

/// The crates whose types the public API may name. A new major version of one of them is a new major
/// version of `redis-push`: see runtime/docs/versions.md, which names them.
const ALLOWED: [&str; 9] = [
    "alloc",
    "bytes",
    "core",
    "futures_core",
    "redis",
    "serde_core",
    "std",
    "tokio",
    "tracing",
];

/// The crates of this workspace, and `str`, whose methods have paths that begin with it.
const OURS: [&str; 4] = [
    "redis_push",
    "redis_push_macros",
    "redis_push_template",
    "str",
];

#[rustversion::attr(
    not(stable(1.95)),
    ignore = "the form of rustdoc's JSON depends on the compiler"
)]
#[test]
fn the_public_api_is_that_of_the_snapshot() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("redis-push.txt");
    let now: Vec<_> = api().collect();
    if env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, now.join("\n") + "\n").unwrap();
        return;
    }
    let before = fs::read_to_string(&path).unwrap();
    let before: Vec<_> = before.lines().collect();
    let changes = changes(&before, &now);
    assert!(
        changes.is_empty(),
        "the public API has changed:\n{changes}\nIf that is meant, write it down with \
         `UPDATE_SNAPSHOTS=1 cargo test -p api`, and in runtime/CHANGELOG.md. A line that begins with - \
         breaks users, unless they could not write it."
    );
}

#[rustversion::attr(
    not(stable(1.95)),
    ignore = "the form of rustdoc's JSON depends on the compiler"
)]
#[test]
fn the_public_api_names_only_types_of_the_crates_that_are_allowed() {
    let others: Vec<_> = api()
        .filter_map(|item| {
            let crates = crates(item);
            let other = crates
                .iter()
                .find(|name| !ALLOWED.contains(name) && !OURS.contains(name))?;
            Some(format!("{other}: {item}"))
        })
        .collect();
    assert!(
        others.is_empty(),
        "the public API names types of other crates:\n{}",
        others.join("\n")
    );
}

/// The items of the public API, one on each line, without what follows from blanket impls.
fn api() -> impl Iterator<Item = &'static str> {
    static API: OnceLock<String> = OnceLock::new();
    let api = API.get_or_init(|| {
        public_api::Builder::from_rustdoc_json(rustdoc_json())
            .omit_blanket_impls(true)
            .build()
            .expect("public-api reads the JSON of this rustdoc")
            .to_string()
    });
    // Of the traits that the compiler implements on its own, these are the ones that users need.
    let is_kept = |line: &&str| {
        ![
            "marker::Freeze",
            "marker::StructuralPartialEq",
            "marker::Unpin",
            "UnwindSafe",
            "UnsafeUnpin",
        ]
        .iter()
        .any(|auto| line.contains(auto) && line.starts_with("impl"))
    };
    api.lines().filter(is_kept)
}

/// Documents `redis-push` with all features as JSON, and returns the file.
fn rustdoc_json() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // The directory of the docs as docs.rs builds them: the dependencies are compiled once for both.
    let target = root.join("target/docs");
    let status = Command::new(env!("CARGO"))
        .current_dir(&root)
        .args(["rustdoc", "--quiet", "--package", "redis-push", "--lib"])
        .args(["--all-features", "--target-dir"])
        .arg(&target)
        .args(["--", "-Zunstable-options", "--output-format", "json"])
        // The JSON of rustdoc is unstable, and so is what docs.rs uses.
        .env("RUSTC_BOOTSTRAP", "1")
        // Without the flag of .cargo/config.toml, as for users.
        .env("RUSTFLAGS", "")
        .env("RUSTDOCFLAGS", "--cfg docsrs")
        .status()
        .expect("cargo starts");
    assert!(status.success(), "rustdoc failed");
    target.join("doc/redis_push.json")
}

/// The crates in the paths of an item: what stands before the first `::` of each.
fn crates(item: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut crates = BTreeSet::new();
    for (at, _) in item.match_indices("::") {
        let start = item[..at].rfind(|c| !is_name(c)).map_or(0, |end| end + 1);
        let name = &item[start..at];
        let is_first = !item[..start].ends_with("::");
        // `Self::Error` and `T::Item` are not paths in a crate.
        if is_first && name.starts_with(|c: char| c.is_lowercase()) {
            crates.insert(name);
        }
    }
    crates
}

/// The lines that have come and gone, in the form of a diff.
fn changes(before: &[&str], now: &[&str]) -> String {
    let gone = before.iter().filter(|line| !now.contains(line));
    let come = now.iter().filter(|line| !before.contains(line));
    gone.map(|line| format!("-{line}\n"))
        .chain(come.map(|line| format!("+{line}\n")))
        .collect()
}
