//! The names by which serde reads a field from a payload.

use proc_macro2::TokenTree;
use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, MetaNameValue, Token};

use super::serde::{SerdeOption, options};

/// A case of `rename_all`, or none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Case(Option<String>);

impl Case {
    /// Returns the case that an option of a type or a variant gives the fields: `rename_all`, or
    /// `rename_all_fields` of an enum.
    pub(crate) fn of(attributes: &[Attribute], option: &str) -> Self {
        let options = options(attributes);
        let found = options.iter().find(|found| found.name == option);
        Self(found.and_then(text_to_read))
    }

    /// Returns this case, or else the other one.
    pub(crate) fn or(self, other: &Self) -> Self {
        Self(self.0.or_else(|| other.0.clone()))
    }

    /// Converts the name of a field, which is in snake case.
    fn apply(&self, name: &str) -> String {
        let Some(case) = &self.0 else {
            return name.to_owned();
        };
        match case.as_str() {
            "UPPERCASE" | "SCREAMING_SNAKE_CASE" => name.to_ascii_uppercase(),
            "PascalCase" => pascal(name),
            "camelCase" => {
                let pascal = pascal(name);
                let rest = pascal.get(1..).unwrap_or_default();
                pascal[..pascal.len() - rest.len()].to_ascii_lowercase() + rest
            }
            "kebab-case" => name.replace('_', "-"),
            "SCREAMING-KEBAB-CASE" => name.to_ascii_uppercase().replace('_', "-"),
            _ => name.to_owned(),
        }
    }
}

fn pascal(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    words.collect()
}

/// Returns the names by which a field is read: its own one, then its aliases. Empty if it is not read,
/// or not by a name.
pub(crate) fn names_to_read(attributes: &[Attribute], name: &str, case: &Case) -> Vec<String> {
    let options = options(attributes);
    let is_left_out = |option: &SerdeOption| {
        let out = ["flatten", "skip", "skip_deserializing"];
        out.iter().any(|name| option.name == name)
    };
    if options.iter().any(is_left_out) {
        return Vec::new();
    }
    let texts = |name: &'static str| {
        let named = options.iter().filter(move |option| option.name == name);
        named.filter_map(text_to_read)
    };
    let own = texts("rename").next().unwrap_or_else(|| case.apply(name));
    let mut names = vec![own];
    for alias in texts("alias") {
        if !names.contains(&alias) {
            names.push(alias);
        }
    }
    names
}

/// Returns the name by which a field is written.
pub(crate) fn name_to_write(attributes: &[Attribute], name: &str, case: &Case) -> String {
    let options = options(attributes);
    let rename = options.iter().find(|option| option.name == "rename");
    let renamed = rename.and_then(|option| text_for(option, "serialize"));
    renamed.unwrap_or_else(|| case.apply(name))
}

/// Returns the value of `name = "…"` or `name(deserialize = "…")`.
pub(super) fn text_to_read(option: &SerdeOption) -> Option<String> {
    text_for(option, "deserialize")
}

/// Returns the value of `name = "…"` or `name(direction = "…")`.
fn text_for(option: &SerdeOption, direction: &str) -> Option<String> {
    if let Some(value) = &option.value {
        return text(value);
    }
    let group = option.tokens.to_token_stream().into_iter().nth(1)?;
    let TokenTree::Group(group) = group else {
        return None;
    };
    let parse = Punctuated::<MetaNameValue, Token![,]>::parse_terminated;
    let pairs = Parser::parse2(parse, group.stream()).ok()?;
    let pair = pairs.iter().find(|pair| pair.path.is_ident(direction));
    pair.and_then(|pair| text(&pair.value))
}

fn text(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Some(text.value()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(field: &str, container: &str) -> Vec<String> {
        let code = format!("{container} struct T {{ {field} }}");
        let parsed: syn::ItemStruct = syn::parse_str(&code).unwrap();
        let field = parsed.fields.iter().next().unwrap();
        let case = Case::of(&parsed.attrs, "rename_all");
        let name = field.ident.as_ref().unwrap().to_string();
        names_to_read(&field.attrs, &name, &case)
    }

    #[test]
    fn a_field_is_read_by_its_own_name_and_its_aliases() {
        assert_eq!(names("id: u8", ""), ["id"]);
        let aliases = r#"#[serde(alias = "a", default)] #[serde(alias = "b")] id: u8"#;
        assert_eq!(names(aliases, ""), ["id", "a", "b"]);
        let renamed = r#"#[serde(rename(serialize = "w", deserialize = "r"), alias = "a")] id: u8"#;
        assert_eq!(names(renamed, ""), ["r", "a"]);
        assert_eq!(
            names(r#"#[serde(rename(serialize = "w"))] id: u8"#, ""),
            ["id"]
        );
        assert!(names("#[serde(flatten)] id: u8", "").is_empty());
    }

    #[test]
    fn the_case_of_the_type_applies_to_fields_without_a_name_of_their_own() {
        for (case, name) in [
            ("camelCase", "orderId"),
            ("PascalCase", "OrderId"),
            ("SCREAMING_SNAKE_CASE", "ORDER_ID"),
            ("kebab-case", "order-id"),
            ("SCREAMING-KEBAB-CASE", "ORDER-ID"),
            ("snake_case", "order_id"),
        ] {
            let container = format!(r#"#[serde(rename_all = "{case}")]"#);
            assert_eq!(names("order_id: u8", &container), [name]);
        }
        let container = r#"#[serde(rename_all(deserialize = "camelCase"))]"#;
        assert_eq!(names("order_id: u8", container), ["orderId"]);
        assert_eq!(
            names(r#"#[serde(rename = "x")] order_id: u8"#, container),
            ["x"]
        );
    }
}
