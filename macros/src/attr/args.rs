//! The option list of one attribute.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{LitInt, LitStr, Path, Token, Type};

use super::codec::Codec;
use super::duration::Duration;
use super::krate::assumed_crate;
use super::listed_params::ListedParams;
use super::listen::Listen;
use super::missing_param::missing_param;
use super::on_error::OnError;
use super::overflow::Overflow;
use super::value::{
    Names, end_of_option, example, function_name, is_flag, skip_option, value, word,
};
use crate::ast::ParamArg;
use crate::errors::{Errors, nearest};

/// The options in the parentheses of `#[push_handler]`, `#[gap_handler]` or `#[push]`.
#[derive(Default)]
pub(crate) struct Args {
    /// The names to listen to, all of one kind; empty if the attribute has none.
    pub(crate) listen: Vec<Listen>,
    /// The params of the names that are constants: `params(symbol)`.
    pub(crate) listed_params: Option<ListedParams>,
    pub(crate) codec: Option<Codec>,
    pub(crate) tag: Option<LitStr>,
    /// The name of the function that makes an address, if it is not `at`.
    pub(crate) at: Option<Ident>,
    pub(crate) receive_only: bool,
    /// The option `trace`, if it is set.
    pub(crate) trace: Option<Ident>,
    pub(crate) buffer: Option<LitInt>,
    pub(crate) buffer_bytes: Option<LitInt>,
    pub(crate) overflow: Option<Overflow>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) workers: Option<LitInt>,
    pub(crate) ordered_by: Option<LitStr>,
    pub(crate) stall_limit: Option<Duration>,
    pub(crate) required: bool,
    pub(crate) on_gap: Option<Path>,
    pub(crate) on_error: Option<OnError>,
    pub(crate) retry: Option<LitInt>,
    pub(crate) retry_delay: Option<Duration>,
    pub(crate) state: Option<Type>,
    krate: Option<TokenStream>,
    /// The keys so far, to refuse one that is set twice.
    seen: Vec<Ident>,
}

/// The options of `#[push_handler]`.
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
    "on_error",
    "retry",
    "retry_delay",
    "state",
    "crate",
];

/// The options of `#[gap_handler]`.
pub(crate) const GAP_HANDLER: &[&str] = &["state", "crate"];

/// The options of `#[push]`, the attribute of the message derive.
pub(crate) const PUSH: &[&str] = &[
    "channel",
    "pattern",
    "shard",
    "params",
    "codec",
    "tag",
    "at",
    "receive_only",
    "trace",
    "crate",
];

impl Args {
    /// Parses the options in `known`. An error in one does not stop the parser from reading the
    /// others.
    pub(crate) fn from_syn(tokens: TokenStream, known: &[&str], errors: &mut Errors) -> Self {
        let mut args = Self::default();
        args.extend(tokens, known, errors);
        args.assume_crate(errors);
        args
    }

    /// Parses the options of another attribute of the same name.
    pub(crate) fn extend(&mut self, tokens: TokenStream, known: &[&str], errors: &mut Errors) {
        let options = |input: ParseStream<'_>| {
            while !input.is_empty() {
                let option = self
                    .option(input, known, errors)
                    .and_then(|()| end_of_option(input));
                if let Err(error) = option {
                    errors.add(error);
                    skip_option(input);
                }
            }
            Ok(())
        };
        let parsed = options.parse2(tokens);
        errors.handle(parsed);
    }

    /// Assumes where `redis_push` is, if no option says it.
    pub(crate) fn assume_crate(&mut self, errors: &mut Errors) {
        self.krate.get_or_insert_with(|| assumed_crate(errors));
    }

    fn option(
        &mut self,
        input: ParseStream<'_>,
        known: &[&str],
        errors: &mut Errors,
    ) -> syn::Result<()> {
        let key = key(input, known)?;
        let name = key.to_string();
        let fail = |text| Err(syn::Error::new(key.span(), text));
        if self.seen.contains(&key) {
            return fail(format!("`{name}` is already set"));
        }
        self.seen.push(key.clone());
        if name == "params" {
            self.listed_params = Some(ListedParams::from_syn(key, input)?);
            return Ok(());
        }
        let has_value = input.peek(Token![=]);
        if is_flag(&name) {
            if has_value {
                return fail(format!("`{name}` takes no value: write `{name}` alone"));
            }
            self.set_flag(&key, errors);
            return Ok(());
        }
        if !has_value {
            return fail(format!("`{name}` needs a value: `{}`", example(&name)));
        }
        input.parse::<Token![=]>()?;
        self.set_value(&key, input, errors)
    }

    fn set_flag(&mut self, key: &Ident, errors: &mut Errors) {
        match &*key.to_string() {
            "required" => self.required = true,
            "receive_only" => self.receive_only = true,
            "trace" => self.trace = Some(key.clone()),
            _ => self.listen_to([Listen::connection(key)], errors),
        }
    }

    fn set_value(
        &mut self,
        key: &Ident,
        input: ParseStream<'_>,
        errors: &mut Errors,
    ) -> syn::Result<()> {
        let name = key.to_string();
        match &*name {
            "buffer" => self.buffer = Some(value(input, &name)?),
            "buffer_bytes" => self.buffer_bytes = Some(value(input, &name)?),
            "overflow" => self.overflow = Some(value(input, &name)?),
            "timeout" => self.timeout = Some(value(input, &name)?),
            "workers" => self.workers = Some(value(input, &name)?),
            "ordered_by" => self.ordered_by = Some(word(input, &name)?),
            "stall_limit" => self.stall_limit = Some(value(input, &name)?),
            "on_gap" => self.on_gap = Some(value(input, &name)?),
            "on_error" => self.on_error = Some(value(input, &name)?),
            "retry" => self.retry = Some(value(input, &name)?),
            "retry_delay" => self.retry_delay = Some(value(input, &name)?),
            "state" => self.state = Some(value(input, &name)?),
            "codec" => self.codec = Some(value(input, &name)?),
            "tag" => self.tag = Some(value(input, &name)?),
            "at" => self.at = Some(function_name(input)?),
            "crate" => self.krate = Some(value::<Path>(input, &name)?.into_token_stream()),
            _ => {
                let Names(names) = value(input, &name)?;
                let listens: Vec<_> = names
                    .into_iter()
                    .enumerate()
                    .filter_map(|(at, name)| errors.handle(Listen::from_syn(key, name, at)))
                    .collect();
                self.listen_to(listens, errors);
            }
        }
        Ok(())
    }

    /// Adds the names of one option, or reports that another option has set them already.
    fn listen_to(&mut self, listens: impl IntoIterator<Item = Listen>, errors: &mut Errors) {
        let mut listens = listens.into_iter().peekable();
        match (self.listen.first(), listens.peek()) {
            (Some(first), Some(listen)) => listen.refuse_after(first, errors),
            _ => self.listen.extend(listens),
        }
    }

    /// Returns the params that all of the channels in quotes have, in the order of the first.
    pub(crate) fn params(&self) -> Vec<&str> {
        let literals = self.listen.iter().filter(|listen| !listen.is_constant());
        let mut all = literals.map(Listen::params);
        let mut common = all.next().unwrap_or_default();
        for params in all {
            common.retain(|param| params.contains(param));
        }
        common
    }

    /// Refuses an argument `Param` whose param is not in every name.
    pub(crate) fn validate_param(&self, param: &ParamArg<'_>, errors: &mut Errors) {
        if let Some(text) = missing_param(&self.listen, param) {
            errors.at(param.span, text);
        }
    }

    /// Whether a name is a constant, whose params only the compiler knows.
    pub(crate) fn has_constants(&self) -> bool {
        self.listen.iter().any(Listen::is_constant)
    }

    /// Returns the entry in quotes with the strictest rules for arguments: an exact name if there
    /// is one, because its pushes carry no matched pattern. If all are constants, returns one.
    pub(crate) fn strictest(&self) -> Option<&Listen> {
        let literals = || self.listen.iter().filter(|listen| !listen.is_constant());
        let exact = literals().find(|listen| !listen.is_pattern());
        exact.or(literals().next()).or(self.listen.first())
    }

    /// Returns the path of `redis_push`.
    pub(crate) fn krate(&self) -> TokenStream {
        self.krate.clone().unwrap_or_default()
    }
}

/// Parses the name of an option.
fn key(input: ParseStream<'_>, known: &[&str]) -> syn::Result<Ident> {
    if let Ok(name) = input.fork().parse::<LitStr>() {
        let text = format!("say what the name is: `channel = {}`", name.token());
        return Err(input.error(text));
    }
    let key = input.call(Ident::parse_any).map_err(|error| {
        let text = "expected an option, such as `channel = \"…\"`";
        syn::Error::new(error.span(), text)
    })?;
    let name = key.to_string();
    if known.contains(&&*name) {
        return Ok(key);
    }
    let text = match nearest(&name, known.iter().copied()) {
        Some(near) => format!("unknown option `{name}`; did you mean `{near}`?"),
        None => format!("unknown option `{name}`; the options are {}", quoted(known)),
    };
    Err(syn::Error::new(key.span(), text))
}

fn quoted(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
