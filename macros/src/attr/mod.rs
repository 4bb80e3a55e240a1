//! The options of the attributes `#[push_handler]`, `#[gap_handler]` and `#[push]`, and those of
//! serde.
//!
//! [`Args`] is the whole list in the parentheses of one of our attributes. Each option that is more
//! than a number, a path or a flag has a type of its own, whose [`Parse`](syn::parse::Parse)
//! implementation is its grammar and whose tokens are the expression that generated code contains:
//!
//! - [`Listen`] is one name to listen to: a channel, a template, a pattern, a sharded channel,
//!   keys, a key prefix or the connection.
//! - `ListedParams` are the params of a channel whose name is a constant.
//! - [`Codec`] is the encoding of a message's payload.
//! - `Duration` is a span of time with a unit, such as `"5s"`; `Overflow` is the policy for a full
//!   buffer, and `OnError` that for a delivery that did not succeed.
//! - [`serde`] reads the user's `#[serde(..)]` attributes, so that the message derive can forward
//!   them to generated types.
//!
//! `validate` checks the options of one list together. The parser for a single value, and the example that its error shows, are in `value`.
//!
//! # Dependencies
//!
//! Input is the token list of an attribute, from [`expand`](crate::expand), which also reads the
//! results. Templates are parsed by [`ast`](crate::ast). Errors go to
//! [`errors`](crate::errors). Nothing here knows the item that the attribute is on: rules that
//! involve both, such as a param that must name a field, are checked in `expand`.
//!
//! # Invariants
//!
//! - A broken option does not hide the others: the parser reports it, skips to the next comma and
//!   goes on.
//! - An option is set at most once, and all entries of [`Args::listen`] come from a single option.
//! - Generated expressions name the runtime as `__p`, which the surrounding code imports.

mod args;
mod codec;
mod constants;
mod duration;
mod krate;
mod listed_params;
mod listen;
mod missing_param;
mod on_error;
mod overflow;
pub(crate) mod serde;
pub(crate) mod serde_names;
mod validate;
mod value;

pub(crate) use args::{Args, GAP_HANDLER, PUSH, PUSH_HANDLER};
pub(crate) use codec::Codec;
pub(crate) use constants::constants;
pub(crate) use krate::assumed_crate;
pub(crate) use listed_params::ListedParams;
pub(crate) use listen::Listen;
