//! What the macros write, formatted: each file of `snapshots/` holds some code and its expansion.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p redis-push-macros` writes the expansions anew; read them.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Item, Meta};

use crate::{gap_handler, handler, message, mount};

const BECOMES: &str = "// becomes\n";

/// Expands what is one of the macros, and leaves out the function itself, which stays as it is.
fn expansion(item: &mut Item) -> Option<TokenStream> {
    let (attributes, name) = match item {
        Item::Fn(function) => (&mut function.attrs, function.sig.ident.to_string()),
        Item::Struct(message) => (&mut message.attrs, String::new()),
        Item::Enum(message) => (&mut message.attrs, String::new()),
        Item::Const(list) => {
            let syn::Expr::Macro(call) = &*list.expr else {
                return None;
            };
            let made = mount::expand(call.mac.tokens.clone());
            return Some(quote!(const _: () = #made;));
        }
        _ => return None,
    };
    let is = |attribute: &Attribute, name: &str| attribute.path().is_ident(name);
    let of_ours = attributes
        .iter()
        .position(|a| is(a, "push_handler") || is(a, "gap_handler"));
    if let Some(index) = of_ours {
        let attribute = attributes.remove(index);
        let args = match &attribute.meta {
            Meta::List(list) => list.tokens.clone(),
            _ => TokenStream::new(),
        };
        let tokens = item.to_token_stream();
        let made = match is(&attribute, "push_handler") {
            true => handler::expand(args, tokens),
            false => gap_handler::expand(args, tokens),
        };
        let mut made: syn::File = syn::parse2(made).expect("an expansion is items");
        made.items
            .retain(|item| !matches!(item, Item::Fn(function) if function.sig.ident == name));
        return Some(made.into_token_stream());
    }
    let derives = attributes.iter().any(|a| is(a, "derive"));
    derives.then(|| message::expand(item.to_token_stream()))
}

fn expanded(code: &str) -> String {
    let mut file = syn::parse_file(code).expect("the code parses");
    let made: TokenStream = file.items.iter_mut().filter_map(expansion).collect();
    let made = syn::parse2(made).expect("an expansion is items");
    let text = prettyplease::unparse(&made);
    // The line that is there only with the feature `collect`.
    let lines = text.lines().filter(|line| !line.contains("__p::collect!("));
    lines.map(|line| format!("{line}\n")).collect()
}

fn snapshots() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots");
    let files = fs::read_dir(folder).expect("there are snapshots");
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn expansions_are_those_that_were_read() {
    let files = snapshots();
    assert!(!files.is_empty(), "there are snapshots");
    let mut changed = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let (code, before) = text.split_once(BECOMES).unwrap_or((&text, ""));
        let now = expanded(code);
        if now == before {
            continue;
        }
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::write(&file, format!("{code}{BECOMES}{now}")).unwrap();
        }
        changed.push(format!("{}:\n{now}", file.display()));
    }
    assert!(changed.is_empty(), "{}", changed.join("\n"));
}

/// The lines that a handler with these arguments becomes.
fn lines(arguments: &str) -> usize {
    let code = format!("#[push_handler(channel = \"c\")] async fn on_x({arguments}) {{}}");
    expanded(&code).lines().count()
}

#[test]
fn a_handler_stays_small() {
    let [one, two, three] = ["a: A", "a: A, b: B", "a: A, b: B, c: C"].map(lines);
    // Printed with `--nocapture`, for the record.
    println!("lines of a handler with one, two, three arguments: {one}, {two}, {three}");
    assert!(one <= 30, "{one} lines with one argument");
    assert!(three - one <= 2 * 6, "{} lines for two more", three - one);
}
