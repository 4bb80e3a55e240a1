//! Snapshot tests: each file of `snapshots/` holds some code and its formatted expansion.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p redis-push-macros` rewrites the expansions. Review the diff
//! before you commit it.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::ParseStream;
use syn::visit_mut::VisitMut;
use syn::{Attribute, Block, ImplItem, Item, ItemImpl, Meta, Token, Visibility, parse_quote};

use crate::expand::{gap_handler, handler, handlers, message};

const BECOMES: &str = "// becomes\n";

/// Returns the expansion of an item with one of the macros, without the function itself, which
/// stays unchanged.
fn expansion(item: &mut Item) -> Option<TokenStream> {
    let (attributes, name) = match item {
        Item::Fn(function) => (&mut function.attrs, function.sig.ident.to_string()),
        Item::Struct(message) => (&mut message.attrs, String::new()),
        Item::Enum(message) => (&mut message.attrs, String::new()),
        Item::Const(list) => {
            let syn::Expr::Macro(call) = &*list.expr else {
                return None;
            };
            let list = handlers::expand(call.mac.tokens.clone());
            return Some(quote!(const _: () = #list;));
        }
        _ => return None,
    };
    let is = |attribute: &Attribute, name: &str| attribute.path().is_ident(name);
    let position = attributes
        .iter()
        .position(|a| is(a, "push_handler") || is(a, "gap_handler"));
    if let Some(index) = position {
        let attribute = attributes.remove(index);
        let args = match &attribute.meta {
            Meta::List(list) => list.tokens.clone(),
            _ => TokenStream::new(),
        };
        let tokens = item.to_token_stream();
        let tokens = if is(&attribute, "push_handler") {
            handler::expand(args, tokens)
        } else {
            gap_handler::expand(args, tokens)
        };
        let mut expansion: syn::File = syn::parse2(tokens).expect("an expansion is items");
        expansion
            .items
            .retain(|item| !matches!(item, Item::Fn(function) if function.sig.ident == name));
        return Some(expansion.items.into_iter().map(with_items_beside).collect());
    }
    let derives = attributes.iter().any(|a| is(a, "derive"));
    derives.then(|| {
        let expansion = message::expand(item.to_token_stream());
        let mut expansion: syn::File = syn::parse2(expansion).expect("an expansion is items");
        ExpandAddresses.visit_file_mut(&mut expansion);
        expansion.into_token_stream()
    })
}

/// Expands the macro of the runtime that completes the functions of addresses.
struct ExpandAddresses;

impl VisitMut for ExpandAddresses {
    fn visit_item_impl_mut(&mut self, item: &mut ItemImpl) {
        let items = std::mem::take(&mut item.items);
        item.items = items
            .into_iter()
            .flat_map(|item| match item {
                ImplItem::Macro(call) => {
                    let name = call.mac.path.segments.last().map(|last| &last.ident);
                    assert!(name.is_some_and(|name| name == "rename_with_push_at"));
                    call.mac
                        .parse_body_with(address_functions)
                        .expect("the macro is called with functions")
                }
                other => vec![other],
            })
            .collect();
    }
}

fn address_functions(input: ParseStream<'_>) -> syn::Result<Vec<ImplItem>> {
    let mut functions = Vec::new();
    while !input.is_empty() {
        let docs = Attribute::parse_outer(input)?;
        let vis: Visibility = input.parse()?;
        input.parse::<Token![fn]>()?;
        let name: Ident = input.parse()?;
        let (arguments, bounds);
        syn::parenthesized!(arguments in input);
        let arguments: TokenStream = arguments.parse()?;
        let clause = if input.parse::<Option<Token![where]>>()?.is_some() {
            syn::bracketed!(bounds in input);
            let bounds: TokenStream = bounds.parse()?;
            Some(quote!(where #bounds))
        } else {
            None
        };
        let body: Block = input.parse()?;
        functions.push(parse_quote! {
            #(#docs)* #vis fn #name(#arguments) -> __p::Address<Self> #clause #body
        });
    }
    Ok(functions)
}

/// Expands the attribute that puts items beside the type of a handler.
fn with_items_beside(mut item: Item) -> TokenStream {
    let Item::Struct(handler_type) = &mut item else {
        return item.into_token_stream();
    };
    let is_beside = |attribute: &mut Attribute| {
        let last = attribute.path().segments.last();
        last.is_some_and(|last| last.ident == "beside")
    };
    let attributes = handler_type.attrs.extract_if(.., is_beside);
    let items: TokenStream = attributes
        .map(|attribute| {
            attribute
                .meta
                .require_list()
                .expect("it has items")
                .tokens
                .clone()
        })
        .collect();
    quote!(#item #items)
}

fn expanded(code: &str) -> String {
    let mut file = syn::parse_file(code).expect("the code parses");
    let tokens: TokenStream = file.items.iter_mut().filter_map(expansion).collect();
    let expansion = syn::parse2(tokens).expect("an expansion is items");
    prettyplease::unparse(&expansion)
        .lines()
        // This line exists only with the feature `collect`.
        .filter(|line| !line.contains("__p::collect!("))
        .map(|line| format!("{line}\n"))
        .collect()
}

fn snapshots() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("there are snapshots")
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn expansions_match_the_snapshots() {
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

/// Returns the number of lines that a handler with these arguments expands to.
fn lines(arguments: &str) -> usize {
    let code = format!("#[push_handler(channel = \"c\")] async fn on_x({arguments}) {{}}");
    expanded(&code).lines().count()
}

#[test]
fn a_handler_stays_small() {
    let [one, two, three] = ["a: A", "a: A, b: B", "a: A, b: B, c: C"].map(lines);
    // Shown with `--nocapture`.
    println!("lines of a handler with one, two, three arguments: {one}, {two}, {three}");
    assert!(one <= 30, "{one} lines with one argument");
    assert!(three - one <= 2 * 6, "{} lines for two more", three - one);
}
