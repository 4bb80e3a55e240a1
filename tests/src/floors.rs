//! Checks that imports run downwards: each folder of a crate is on a floor, and imports only from
//! the floors below.
//!
//! The check resolves re-exports, so an import through a folder's `mod.rs` counts as an import of
//! the file that defines the item. Tests inside the crates are exempt.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, File, Item, ItemUse, Meta, UseTree, Visibility};

/// The folders and files at the root of `runtime/src`, from the top floor to the ground floor.
/// Folders on the same floor do not import each other.
const RUNTIME: &[&[&str]] = &[
    // The guide exists in docs only, and links to everything.
    &["guide"],
    &["lib"],
    &["bench", "fuzz"],
    &["testing", "macro_support"],
    &["subscriber"],
    &["router", "health"],
    &["cache"],
    &["stream"],
    &["delivery"],
    // `recovery` is planned, and not there yet.
    &["failure", "recovery"],
    &["session"],
    &["link"],
    &["handler"],
    &["extract"],
    &["dispatch"],
    &["broadcast"],
    &["publish"],
    &["connection", "tasks"],
    &["message"],
    &["probe"],
    &["push"],
    &["config", "gap"],
    &["subscription"],
    &["telemetry", "error"],
    &["util"],
];

/// The same for `macros/src`.
const MACROS: &[&[&str]] = &[
    &["lib"],
    &["snapshots"],
    &["expand"],
    &["attr"],
    &["ast"],
    &["errors"],
    &["spans"],
];

#[test]
fn imports_of_the_runtime_run_down_the_floors() {
    check("runtime", RUNTIME);
}

#[test]
fn imports_of_the_macros_run_down_the_floors() {
    check("macros", MACROS);
}

/// One file decides which clock the runtime reads. The embedded broker is exempt: it stands for a
/// server, which has its own clock.
#[test]
fn only_the_clock_module_reads_the_time() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let is_checked = |file: &&PathBuf| {
        let file = file.strip_prefix(&root).unwrap();
        !["testing", "bench", "fuzz"]
            .iter()
            .any(|folder| file.starts_with(folder))
            && file != Path::new("util/clock.rs")
    };
    for file in files.iter().filter(is_checked) {
        let text = std::fs::read_to_string(file).unwrap();
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            let reads = ["Instant::now", "SystemTime::now", ".elapsed()"];
            let found = reads.iter().find(|read| line.contains(**read));
            assert_eq!(found, None, "{}: {}", file.display(), line.trim());
        }
    }
}

fn check(package: &str, floors: &[&[&str]]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let tree = Tree::read(&root.join(package).join("src"));
    let floor_of: BTreeMap<&str, usize> = floors
        .iter()
        .enumerate()
        .flat_map(|(floor, folders)| folders.iter().map(move |folder| (*folder, floor)))
        .collect();
    let mut problems = BTreeSet::new();
    for import in tree.imports() {
        let (from, to) = (folder(&import.from), folder(&import.to));
        let [from_floor, to_floor] = [from, to].map(|folder| floor_of.get(folder));
        for (folder, floor) in [(from, from_floor), (to, to_floor)] {
            if floor.is_none() {
                problems.insert(format!(
                    "`{folder}` of {package}/src has no floor: add it to tests/src/floors.rs"
                ));
            }
        }
        if from != to && from_floor >= to_floor {
            problems.insert(format!(
                "{} imports {} of {}, which is not below it",
                import.from.join("::"),
                import.item,
                import.to.join("::"),
            ));
        }
    }
    let problems: Vec<_> = problems.into_iter().collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The folder, or the file at the root, that a module is in.
fn folder(module: &[String]) -> &str {
    module.first().map_or("lib", String::as_str)
}

/// The path of a module below the root of its crate.
type Module = Vec<String>;

/// The modules of a crate, one for each file.
#[derive(Default)]
struct Tree {
    modules: BTreeMap<Module, Parsed>,
}

#[derive(Default)]
struct Parsed {
    /// Every path that begins with `crate`, `super` or `self`, or with a child module.
    paths: Vec<Vec<String>>,
    /// The names that the file re-exports, and the paths they come from.
    names: BTreeMap<String, Vec<String>>,
}

/// One import: from the file that contains it to the file that defines the item.
struct Import {
    from: Module,
    to: Module,
    item: String,
}

impl Tree {
    fn read(root: &Path) -> Self {
        let mut files = Vec::new();
        collect(root, &mut files);
        let mut tree = Self::default();
        let mut macros = BTreeMap::new();
        for file in files {
            let module = module_of(file.strip_prefix(root).unwrap());
            let text = std::fs::read_to_string(&file).unwrap();
            let parsed = syn::parse_file(&text);
            let parsed = parsed.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            for name in exported_macros(&parsed) {
                let path = [
                    &["crate".to_owned()],
                    &module[..],
                    std::slice::from_ref(&name),
                ]
                .concat();
                macros.insert(name, path);
            }
            tree.modules.insert(module, Parsed::of(&parsed));
        }
        let root = tree.modules.get_mut(&Vec::new());
        root.expect("a crate has a root").names.extend(macros);
        tree
    }

    fn imports(&self) -> Vec<Import> {
        let mut imports = Vec::new();
        for (from, parsed) in &self.modules {
            for path in &parsed.paths {
                let Some(path) = self.absolute(from, path) else {
                    continue;
                };
                let (to, item) = self.definition(path, 0);
                if to != *from {
                    let from = from.clone();
                    imports.push(Import { from, to, item });
                }
            }
        }
        imports
    }

    /// The path below the root of the crate. `None` for a path of another crate.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Vec<String>> {
        let mut base = module.clone();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|first| first == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            first => {
                base.push(first.to_owned());
                if !self.modules.contains_key(&base) {
                    return None;
                }
                rest = &rest[1..];
            }
        }
        base.extend(rest.iter().cloned());
        Some(base.into_iter().map(folder_of_alias).collect())
    }

    /// The module that defines the item of a path, after resolving re-exports.
    fn definition(&self, path: Vec<String>, depth: usize) -> (Module, String) {
        assert!(depth < 16, "re-exports of {} form a cycle", path.join("::"));
        let end = (0..=path.len())
            .rev()
            .find(|end| self.modules.contains_key(&path[..*end]))
            .expect("the root is a module");
        let module = path[..end].to_vec();
        let Some(item) = path.get(end) else {
            return (module, "all".to_owned());
        };
        let reexported = self.modules[&module]
            .names
            .get(item)
            .and_then(|path| self.absolute(&module, path));
        match reexported.filter(|reexported| *reexported != path) {
            Some(mut reexported) => {
                reexported.extend(path[end + 1..].iter().cloned());
                self.definition(reexported, depth + 1)
            }
            None => (module, item.clone()),
        }
    }
}

/// The folder of a module. The hidden modules of the runtime have other names than their folders.
fn folder_of_alias(name: String) -> String {
    match name.as_str() {
        "__private" => "macro_support".to_owned(),
        "__bench" => "bench".to_owned(),
        "__fuzz" => "fuzz".to_owned(),
        _ => name,
    }
}

/// Collects every source file except those of tests.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_test = path.file_stem().is_some_and(|name| name == "tests");
        if is_test {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn module_of(file: &Path) -> Module {
    let parts = file.with_extension("");
    let parts = parts.iter().map(|part| part.to_str().unwrap().to_owned());
    let mut module: Module = parts.collect();
    module.pop_if(|last| last == "mod" || last == "lib");
    module
}

impl Parsed {
    fn of(file: &File) -> Self {
        let mut parsed = Self::default();
        for item in &file.items {
            if let Item::Use(item) = item
                && !is_test(&item.attrs)
            {
                let is_exported = !matches!(item.vis, Visibility::Inherited);
                parsed.add_use(&mut Vec::new(), &item.tree, is_exported);
            }
        }
        parsed.visit_file(file);
        parsed
    }

    fn add_use(&mut self, before: &mut Vec<String>, tree: &UseTree, is_exported: bool) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.add_use(before, &path.tree, is_exported);
                before.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_use(before, tree, is_exported);
                }
            }
            UseTree::Name(name) if name.ident == "self" => self.add(before.clone(), None),
            UseTree::Name(name) => {
                let path = [&before[..], &[name.ident.to_string()]].concat();
                self.add(path, is_exported.then(|| name.ident.to_string()));
            }
            UseTree::Rename(rename) => {
                let path = [&before[..], &[rename.ident.to_string()]].concat();
                self.add(path, is_exported.then(|| rename.rename.to_string()));
            }
            UseTree::Glob(_) => self.add(before.clone(), None),
        }
    }

    fn add(&mut self, path: Vec<String>, exported: Option<String>) {
        if let Some(name) = exported {
            self.names.insert(name, path.clone());
        }
        self.paths.push(path);
    }

    /// Adds the paths inside a macro call, of which only the tokens are known.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.add_tokens(group.stream()),
                TokenTree::Ident(ident) if ident == "crate" => {
                    let mut path = vec![ident.to_string()];
                    while let [
                        TokenTree::Punct(colon),
                        TokenTree::Punct(_),
                        TokenTree::Ident(next),
                        ..,
                    ] = &tokens[at + 1..]
                        && colon.as_char() == ':'
                    {
                        path.push(next.to_string());
                        at += 3;
                    }
                    // A single `crate` may be a keyword of the macro.
                    if path.len() > 1 {
                        self.paths.push(path);
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }
}

impl<'ast> Visit<'ast> for Parsed {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs[..],
            Item::Use(item) => &item.attrs[..],
            Item::Fn(item) => &item.attrs[..],
            Item::Impl(item) => &item.attrs[..],
            _ => &[],
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        // Also those inside functions and inline modules. Only those at the top can be re-exports.
        self.add_use(&mut Vec::new(), &item.tree, false);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let path_names: Vec<_> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        // Alone it is a visibility, as in `pub(crate)`.
        if path_names.len() > 1 && matches!(path_names[0].as_str(), "crate" | "super") {
            self.paths.push(path_names);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.add_tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}

/// The macros that a file exports. `#[macro_export]` puts them at the root of the crate.
fn exported_macros(file: &File) -> impl Iterator<Item = String> {
    file.items.iter().filter_map(|item| match item {
        Item::Macro(item) => {
            let mut attributes = item.attrs.iter();
            let is_exported = attributes.any(|attribute| attribute.path().is_ident("macro_export"));
            let name = item.ident.as_ref().filter(|_| is_exported)?;
            Some(name.to_string())
        }
        _ => None,
    })
}

/// Whether an item is built for tests only.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let condition = list.tokens.to_string();
            condition == "test" || condition.starts_with("all (test")
        }
        _ => false,
    })
}
