//! Checks the pages of the guide against the repository.

use std::collections::BTreeSet;
use std::path::Path;

/// The page "The compiler said" of the guide.
const PAGE: &str = include_str!("../../runtime/docs/the-compiler-said.md");

#[test]
fn the_guide_explains_every_compile_message() {
    let mistakes = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/mistakes");
    let mut missing = BTreeSet::new();
    for entry in std::fs::read_dir(mistakes).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_none_or(|extension| extension != "stderr")
        {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap();
        let output = std::fs::read_to_string(&path).unwrap();
        for message in output.lines().filter_map(message) {
            // Where trybuild has put the file.
            let message = message.replace(&format!("$DIR/mistakes/{name}.rs"), "src/main.rs");
            if !PAGE.lines().any(|line| line == format!("> {message}")) {
                missing.insert(format!("{name}: {message}"));
            }
        }
    }
    let missing: Vec<_> = missing.into_iter().collect();
    assert!(
        missing.is_empty(),
        "add these to runtime/docs/the-compiler-said.md, each as a line `> message`, with its cause and \
         what to write instead:\n{}",
        missing.join("\n")
    );
}

#[test]
fn the_readme_is_short_and_links_to_pages_that_exist() {
    const README: &str = include_str!("../../README.md");
    const PAGES: &str = include_str!("../../runtime/src/guide.rs");
    let lines = README.lines().count();
    assert!(lines <= 200, "{lines} lines: the guide has room for more");
    for link in README.split("redis_push/guide/").skip(1) {
        let page = link.split('/').next().unwrap();
        let is_module = |line: &str| line.split_whitespace().next() == Some(page);
        assert!(
            page.starts_with("index.html") || PAGES.lines().any(is_module),
            "the guide has no page `{page}`"
        );
    }
}

/// The text of a message, if the line begins one.
fn message(line: &str) -> Option<&str> {
    let (level, text) = line.split_once(": ")?;
    let is_message = level == "error" || level == "warning" || level.starts_with("error[E");
    is_message.then(|| text.strip_prefix("evaluation panicked: ").unwrap_or(text))
}
