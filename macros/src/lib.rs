//! Procedural macros for `redis-push`.
//!
//! The crate `redis-push` re-exports them; use them from there.
//!
//! - [`macro@push_handler`] turns an async function into a handler of pushes.
//! - [`macro@gap_handler`] turns an async function into a handler of gaps.
//! - [`handlers!`] mounts handlers by name.
//! - [`derive@PushMessage`] turns a type into a message that names its channel.
//!
//! The macros are a convenience: the same code can be written by hand with the public types of
//! `redis-push`.

mod ast;
mod attr;
mod errors;
mod expand;
#[cfg(test)]
mod snapshots;
mod spans;

use proc_macro::TokenStream;

#[doc = include_str!("../docs/push_handler.md")]
#[proc_macro_attribute]
pub fn push_handler(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::handler::expand(args.into(), item.into()).into()
}

#[doc = include_str!("../docs/gap_handler.md")]
#[proc_macro_attribute]
pub fn gap_handler(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::gap_handler::expand(args.into(), item.into()).into()
}

#[doc = include_str!("../docs/handlers.md")]
#[proc_macro]
pub fn handlers(elements: TokenStream) -> TokenStream {
    expand::handlers::expand(elements.into()).into()
}

/// Puts items beside the type of a handler. Only generated code uses it.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn beside(items: TokenStream, handler_type: TokenStream) -> TokenStream {
    [handler_type, items].into_iter().collect()
}

#[doc = include_str!("../docs/push_message.md")]
#[proc_macro_derive(PushMessage, attributes(push, serde))]
pub fn push_message(input: TokenStream) -> TokenStream {
    expand::message::expand(input.into()).into()
}
