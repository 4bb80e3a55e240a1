//! The option `crate`, and the name of `redis_push` without it.

use std::path::Path;
use std::sync::OnceLock;
use std::{env, fs};

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};

use crate::errors::Errors;

/// Returns the path of `redis_push` for a macro call without `crate = ..`.
///
/// If the user's manifest gives the crate another name, this reports it, and returns the path by that
/// name: everything else in the expansion is then no further error.
pub(crate) fn assumed_crate(errors: &mut Errors) -> TokenStream {
    static NAME: OnceLock<Option<String>> = OnceLock::new();
    let Some(name) = NAME.get_or_init(name_in_manifest) else {
        return quote!(::redis_push);
    };
    errors.at(
        Span::call_site(),
        format!(
            "`redis_push` is named `{name}` in this crate's `Cargo.toml`: write `crate = {name}`"
        ),
    );
    let name = format_ident!("{name}");
    quote!(::#name)
}

fn name_in_manifest() -> Option<String> {
    let folder = env::var_os("CARGO_MANIFEST_DIR")?;
    let manifest = fs::read_to_string(Path::new(&folder).join("Cargo.toml")).ok()?;
    new_name(&manifest)
}

/// Returns the name that a manifest gives to `redis-push`, if it is another one.
///
/// This reads the two usual forms of a renamed dependency. For another form, the compiler reports an
/// unresolved `redis_push`.
fn new_name(manifest: &str) -> Option<String> {
    let mut table = String::new();
    let mut found = None;
    for line in manifest.lines() {
        let line: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        if let Some(header) = line.strip_prefix('[') {
            let (_, name) = header.rsplit_once('.').unwrap_or_default();
            table = name.trim_end_matches(']').to_owned();
            if table == "redis-push" {
                return None;
            }
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or_default();
        let is_renamed = line.contains("package=\"redis-push\"");
        if is_renamed && key == "package" {
            found = Some(table.replace('-', "_"));
        } else if is_renamed {
            found = Some(key.replace('-', "_"));
        } else if key.split('.').next() == Some("redis-push") && !value.is_empty() {
            return None;
        }
    }
    found.filter(|name| syn::parse_str::<syn::Ident>(name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::new_name;

    #[test]
    fn a_renamed_dependency_is_found() {
        let named = |manifest: &str| new_name(manifest).unwrap_or_default();
        let line = "[dependencies]\nrp = { version = \"1\", package = \"redis-push\" }";
        assert_eq!(named(line), "rp");
        let table = "[dependencies.my-push]\npath = \"x\"\npackage = \"redis-push\"\n";
        assert_eq!(named(table), "my_push");
        let plain = "[package]\nname = \"redis-push\"\n[dependencies]\nredis-push = \"0.1\"";
        assert_eq!(named(plain), "");
        assert_eq!(
            named(&format!(
                "{line}\n[dev-dependencies]\nredis-push.path = \"y\""
            )),
            ""
        );
        assert_eq!(named(&format!("{line}\n[dev-dependencies.redis-push]")), "");
        assert_eq!(named("[dependencies]\nother = \"1\""), "");
    }
}
