//! Values of options: how one is parsed, and the example that an error shows for it.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{LitStr, Path, Token};

/// One name to listen to: text in quotes, or the path of a constant.
pub(crate) enum Name {
    Text(LitStr),
    Const(Path),
}

impl Parse for Name {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitStr) {
            return input.parse().map(Self::Text);
        }
        let start = input.fork();
        let path = input.call(Path::parse_mod_style)?;
        // Text without its quotes: `orders`, `orders.{id}`.
        let is_word = path
            .get_ident()
            .is_some_and(|word| !word.to_string().contains(char::is_uppercase));
        if is_word || !(input.is_empty() || input.peek(Token![,])) {
            return Err(start.error("expected a name"));
        }
        if path.segments[0].ident == "Self" {
            let text = "write the name of the type in place of `Self`, which a constant of its own \
                        cannot use";
            return Err(syn::Error::new_spanned(path, text));
        }
        Ok(Self::Const(path))
    }
}

impl ToTokens for Name {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Text(text) => text.to_tokens(tokens),
            Self::Const(path) => path.to_tokens(tokens),
        }
    }
}

/// One name or a list of them: `"orders"`, or `["orders", REFUNDS]`.
pub(super) struct Names(pub(super) Vec<Name>);

impl Parse for Names {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !input.peek(syn::token::Bracket) {
            return Ok(Self(vec![input.parse()?]));
        }
        let list;
        let bracket = syn::bracketed!(list in input);
        let names = list
            .parse_terminated(Name::parse, Token![,])
            .inspect_err(|_| {
                // syn would report the tokens that are left as a second error.
                let _ = list.parse::<TokenStream>();
            })?;
        if names.is_empty() {
            let text = "the list is empty: write at least one name";
            return Err(syn::Error::new(bracket.span.join(), text));
        }
        Ok(Self(names.into_iter().collect()))
    }
}

/// Parses the value of the option `name`.
pub(super) fn value<T: Parse>(input: ParseStream<'_>, name: &str) -> syn::Result<T> {
    input.parse().map_err(|error| {
        // An error of syn's parser lists tokens; an example is more helpful. Our own errors are
        // sentences, which stay.
        if !error.to_string().contains("expected") {
            return error;
        }
        let text = format!("expected `{}`{}", example(name), hint(name));
        syn::Error::new(error.span(), text)
    })
}

/// Parses a name, in quotes or not.
pub(super) fn word(input: ParseStream<'_>, name: &str) -> syn::Result<LitStr> {
    if input.peek(LitStr) {
        return value(input, name);
    }
    let fail = |_| input.error(format!("expected `{}`", example(name)));
    let ident = Ident::parse_any(input).map_err(fail)?;
    Ok(LitStr::new(&ident.unraw().to_string(), ident.span()))
}

/// Parses the name of the function that makes the addresses of a message type.
pub(super) fn function_name(input: ParseStream<'_>) -> syn::Result<Ident> {
    let start = input.fork();
    let name: Ident = value(input, "at")?;
    if !(input.is_empty() || input.peek(Token![,])) {
        return Err(start.error(format!("expected `{}`", example("at"))));
    }
    if name == "template" {
        let text = "`template` is the function that returns the text of the channel; choose another \
                    name";
        return Err(syn::Error::new(name.span(), text));
    }
    Ok(name)
}

/// Whether an option takes no value.
pub(super) fn is_flag(name: &str) -> bool {
    matches!(name, "required" | "receive_only" | "trace" | "connection")
}

/// Returns the option with a valid value.
pub(super) fn example(name: &str) -> &'static str {
    match name {
        "channel" => "channel = \"orders.{id}\"",
        "pattern" => "pattern = \"orders.*\"",
        "shard" => "shard = \"orders\"",
        "keyspace" => "keyspace = \"user:{id}\"",
        "invalidate" => "invalidate = \"user:\"",
        "buffer" => "buffer = 1024",
        "buffer_bytes" => "buffer_bytes = 65536",
        "overflow" => "overflow = \"drop_oldest\" | \"drop_newest\" | \"latest\"",
        "timeout" => "timeout = \"5s\"",
        "workers" => "workers = 4",
        "ordered_by" => "ordered_by = symbol",
        "stall_limit" => "stall_limit = \"30s\"",
        "on_gap" => "on_gap = resync",
        "on_error" => "on_error = \"continue\" | \"resync\"",
        "retry" => "retry = 3",
        "retry_delay" => "retry_delay = \"100ms\"",
        "state" => "state = App",
        "codec" => "codec = json | text | bytes | msgpack | path::to::MyCodec",
        "tag" => "tag = \"type\"",
        "at" => "at = address",
        _ => "crate = path::to::redis_push",
    }
}

/// What an error adds to the example: the units of time, or what to do with a name that is not a
/// literal.
fn hint(name: &str) -> String {
    let constructor = match name {
        "channel" | "pattern" | "shard" | "keyspace" => name,
        "invalidate" => "invalidation",
        "timeout" | "stall_limit" | "retry_delay" => {
            return ", with one of the units `ms`, `s`, `m` and `h`".into();
        }
        _ => return String::new(),
    };
    format!(
        ", in quotes, or the path of a constant, as `{name} = NAME`; a name that is known only at \
         run time is set at the mount: `handlers![on_x.on(Subscription::{constructor}(name))]`"
    )
}

/// Parses the comma after an option, or the end of the list.
pub(super) fn end_of_option(input: ParseStream<'_>) -> syn::Result<()> {
    if input.is_empty() || input.parse::<Option<Token![,]>>()?.is_some() {
        return Ok(());
    }
    Err(input.error("expected a comma"))
}

/// Skips the tokens up to and including the next comma.
pub(super) fn skip_option(input: ParseStream<'_>) {
    while !input.is_empty() {
        if let Ok(Some(_)) = input.parse::<Option<Token![,]>>() {
            return;
        }
        if input.parse::<TokenTree>().is_err() {
            return;
        }
    }
}
