/// Returns the name of a type without its path.
pub(crate) fn short_name(name: &'static str) -> &'static str {
    let generics = name.find('<').unwrap_or(name.len());
    name[..generics]
        .rfind("::")
        .map_or(name, |at| &name[at + 2..])
}
