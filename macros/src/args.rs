use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{LitInt, LitStr, Path, Token, Type};

use crate::codec::Codec;
use crate::duration::Duration;
use crate::errors::{Errors, nearest};
use crate::listen::{Listen, Target};
use crate::overflow::Overflow;

/// What stands in the parentheses of an attribute of ours.
#[derive(Default)]
pub(crate) struct Args {
    /// Of one kind; empty where nothing is said.
    pub(crate) listen: Vec<Listen>,
    pub(crate) codec: Option<Codec>,
    pub(crate) tag: Option<LitStr>,
    pub(crate) receive_only: bool,
    pub(crate) buffer: Option<LitInt>,
    pub(crate) buffer_bytes: Option<LitInt>,
    pub(crate) overflow: Option<Overflow>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) workers: Option<LitInt>,
    pub(crate) ordered_by: Option<LitStr>,
    pub(crate) stall_limit: Option<Duration>,
    pub(crate) required: bool,
    pub(crate) on_gap: Option<Path>,
    pub(crate) state: Option<Type>,
    krate: Option<Path>,
    seen: Vec<Ident>,
}

/// The options of each attribute.
pub(crate) const PUSH_HANDLER: &[&str] = &[
    "channel",
    "pattern",
    "shard",
    "keyspace",
    "invalidate",
    "connection",
    "buffer",
    "buffer_bytes",
    "overflow",
    "timeout",
    "workers",
    "ordered_by",
    "stall_limit",
    "required",
    "on_gap",
    "state",
    "crate",
];
pub(crate) const GAP_HANDLER: &[&str] = &["state", "crate"];
pub(crate) const PUSH: &[&str] = &[
    "channel",
    "pattern",
    "shard",
    "codec",
    "tag",
    "receive_only",
    "crate",
];

impl Args {
    /// Reads the options; what is wrong with one does not keep the others from being read.
    pub(crate) fn from_syn(tokens: TokenStream, known: &[&str], errors: &mut Errors) -> Self {
        let mut args = Self::default();
        args.extend(tokens, known, errors);
        args
    }

    /// Reads the options of one more attribute of the same name.
    pub(crate) fn extend(&mut self, tokens: TokenStream, known: &[&str], errors: &mut Errors) {
        let options = |input: ParseStream<'_>| {
            while !input.is_empty() {
                let option = self.option(input, known, errors);
                if option
                    .and_then(|()| end_of_option(input))
                    .map_err(|error| errors.add(error))
                    .is_err()
                {
                    skip_option(input);
                }
            }
            Ok(())
        };
        let read = options.parse2(tokens);
        errors.take(read);
    }

    fn option(
        &mut self,
        input: ParseStream<'_>,
        known: &[&str],
        errors: &mut Errors,
    ) -> syn::Result<()> {
        if let Ok(name) = input.fork().parse::<LitStr>() {
            let text = format!("say what the name is: `channel = {}`", name.token());
            return Err(input.error(text));
        }
        let key = input.call(Ident::parse_any).map_err(|error| {
            syn::Error::new(
                error.span(),
                "expected an option, such as `channel = \"…\"`",
            )
        })?;
        let name = key.to_string();
        if !known.contains(&&*name) {
            let hint = match nearest(&name, known.iter().copied()) {
                Some(near) => format!("unknown option `{name}`; did you mean `{near}`?"),
                None => format!("unknown option `{name}`; the options are {}", list(known)),
            };
            return Err(syn::Error::new(key.span(), hint));
        }
        if self.seen.contains(&key) {
            return Err(syn::Error::new(
                key.span(),
                format!("`{name}` is already set"),
            ));
        }
        self.seen.push(key.clone());
        if is_flag(&name) {
            if input.peek(Token![=]) {
                let text = format!("`{name}` takes no value: it is there or it is not");
                return Err(syn::Error::new(key.span(), text));
            }
            match &*name {
                "required" => self.required = true,
                "receive_only" => self.receive_only = true,
                _ => self.listen_to([Listen::connection(&key)], errors),
            }
            return Ok(());
        }
        if !input.peek(Token![=]) {
            let text = format!("`{name}` needs a value: `{}`", example(&name));
            return Err(syn::Error::new(key.span(), text));
        }
        input.parse::<Token![=]>()?;
        match &*name {
            "buffer" => self.buffer = Some(value(input, &name)?),
            "buffer_bytes" => self.buffer_bytes = Some(value(input, &name)?),
            "overflow" => self.overflow = Some(value(input, &name)?),
            "timeout" => self.timeout = Some(value(input, &name)?),
            "workers" => self.workers = Some(value(input, &name)?),
            "ordered_by" => self.ordered_by = Some(word(input, &name)?),
            "stall_limit" => self.stall_limit = Some(value(input, &name)?),
            "on_gap" => self.on_gap = Some(value(input, &name)?),
            "state" => self.state = Some(value(input, &name)?),
            "codec" => self.codec = Some(value(input, &name)?),
            "tag" => self.tag = Some(value(input, &name)?),
            "crate" => self.krate = Some(value(input, &name)?),
            _ => {
                let Names(names) = value(input, &name)?;
                let listens = names.into_iter().map(|name| Listen::from_syn(&key, name));
                let listens: Vec<_> = listens.filter_map(|listen| errors.take(listen)).collect();
                self.listen_to(listens, errors);
            }
        }
        Ok(())
    }

    /// Adds what one option says to listen to, unless another has said so before.
    fn listen_to(&mut self, listens: impl IntoIterator<Item = Listen>, errors: &mut Errors) {
        let mut listens = listens.into_iter().peekable();
        match (self.listen.first(), listens.peek()) {
            (Some(first), Some(listen)) => listen.validate_alone(first, errors),
            _ => self.listen.extend(listens),
        }
    }

    pub(crate) fn validate(&self, errors: &mut Errors) {
        for (index, listen) in self.listen.iter().enumerate() {
            let mut before = self.listen[..index].iter();
            if before.any(|other| other.name.value() == listen.name.value()) {
                let name = listen.name.value();
                errors.on(&listen.name, format!("`{name}` is in the list twice"));
            }
        }
        for (number, name, at_least) in [
            (
                &self.buffer,
                "buffer",
                "nothing could wait: a buffer holds at least `buffer = 1`",
            ),
            (
                &self.buffer_bytes,
                "buffer_bytes",
                "nothing could wait: a buffer holds at least `buffer_bytes = 1`",
            ),
            (
                &self.workers,
                "workers",
                "a handler needs at least one worker",
            ),
        ] {
            let Some(number) = number else { continue };
            match number.base10_parse::<usize>() {
                Ok(0) => errors.on(number, at_least),
                Ok(_) => {}
                Err(_) => errors.on(number, format!("expected `{}`", example(name))),
            }
        }
        self.validate_connection(errors);
        let is_alone = match &self.workers {
            Some(workers) => workers
                .base10_parse::<usize>()
                .is_ok_and(|count| count == 1),
            None => true,
        };
        if let Some(key) = &self.ordered_by
            && is_alone
        {
            errors.on(
                key,
                "one worker keeps everything in order; `ordered_by` goes with `workers = 4`, or the \
                 like",
            );
        }
    }

    /// Refuses what has no meaning for the connection.
    fn validate_connection(&self, errors: &mut Errors) {
        let is_connection = |listen: &Listen| matches!(listen.target, Target::Connection);
        if !self.listen.iter().any(is_connection) {
            return;
        }
        if let Some(gap) = &self.on_gap {
            errors.on(
                gap,
                "events of the connection have no gaps; `on_gap` goes on the handlers whose messages \
                 may be missed",
            );
        }
        if let Some(workers) = &self.workers {
            errors.on(
                workers,
                "events of the connection are told in order, by one worker",
            );
        }
    }

    /// The params that every one of the channels has, in the order of the first.
    pub(crate) fn params(&self) -> Vec<&str> {
        let Some((first, others)) = self.listen.split_first() else {
            return Vec::new();
        };
        let mut params = first.params();
        params.retain(|param| others.iter().all(|other| other.params().contains(param)));
        params
    }

    /// What of the list says the rules for the arguments: one exact name is enough for no pattern.
    pub(crate) fn strictest(&self) -> Option<&Listen> {
        let mut listens = self.listen.iter();
        let exact = listens.find(|listen| !listen.is_pattern());
        exact.or(self.listen.first())
    }

    /// The path of `redis_push`.
    pub(crate) fn krate(&self) -> TokenStream {
        match &self.krate {
            Some(path) => path.to_token_stream(),
            None => quote!(::redis_push),
        }
    }
}

/// `"orders"`, or `["orders", "refunds"]`.
struct Names(Vec<LitStr>);

impl Parse for Names {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !input.peek(syn::token::Bracket) {
            return Ok(Self(vec![input.parse()?]));
        }
        let list;
        let bracket = syn::bracketed!(list in input);
        let names = list.parse_terminated(<LitStr as Parse>::parse, Token![,]);
        let names = names.inspect_err(|_| {
            // What is left would be told as a second mistake.
            let _ = list.parse::<proc_macro2::TokenStream>();
        })?;
        if names.is_empty() {
            let text = "the list is empty: nothing would be listened to";
            return Err(syn::Error::new(bracket.span.join(), text));
        }
        Ok(Self(names.into_iter().collect()))
    }
}

fn value<T: Parse>(input: ParseStream<'_>, name: &str) -> syn::Result<T> {
    input.parse().map_err(|error| {
        // What the parser says of tokens is told by an example; what is ours is a sentence already.
        let is_of_tokens = error.to_string().contains("expected");
        match is_of_tokens {
            true => syn::Error::new(
                error.span(),
                format!("expected `{}`{}", example(name), at_run_time(name)),
            ),
            false => error,
        }
    })
}

/// What to do with a name that is no literal.
fn at_run_time(name: &str) -> String {
    let constructor = match name {
        "channel" | "pattern" | "shard" | "keyspace" => name,
        "invalidate" => "invalidation",
        "timeout" | "stall_limit" => {
            return ", with one of the units `ms`, `s`, `m` and `h`".into();
        }
        _ => return String::new(),
    };
    format!(
        ", in quotes, for the macro reads it; a constant, or a name that is known at run time only, \
         is set at the mount: `handlers![on_x.on(Subscription::{constructor}(NAME))]`"
    )
}

/// Whether an option takes no value.
fn is_flag(name: &str) -> bool {
    matches!(name, "required" | "receive_only" | "connection")
}

/// A name, in quotes or not.
fn word(input: ParseStream<'_>, name: &str) -> syn::Result<LitStr> {
    if input.peek(LitStr) {
        return value(input, name);
    }
    let fail = |_| input.error(format!("expected `{}`", example(name)));
    let ident = Ident::parse_any(input).map_err(fail)?;
    Ok(LitStr::new(&ident.unraw().to_string(), ident.span()))
}

fn example(name: &str) -> &'static str {
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
        "state" => "state = App",
        "codec" => "codec = json | text | bytes | msgpack | path::to::MyCodec",
        "tag" => "tag = \"type\"",
        _ => "crate = path::to::redis_push",
    }
}

fn list(known: &[&str]) -> String {
    let quoted: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn end_of_option(input: ParseStream<'_>) -> syn::Result<()> {
    if input.is_empty() || input.parse::<Option<Token![,]>>()?.is_some() {
        return Ok(());
    }
    Err(input.error("expected a comma"))
}

/// Goes on behind the next comma.
fn skip_option(input: ParseStream<'_>) {
    while !input.is_empty() {
        if let Ok(Some(_)) = input.parse::<Option<Token![,]>>() {
            return;
        }
        if input.parse::<proc_macro2::TokenTree>().is_err() {
            return;
        }
    }
}
