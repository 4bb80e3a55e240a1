//! The macros of `redis-push`.

mod args;
mod errors;
mod fallback;
mod gap_handler;
mod handler;
mod listen;
mod message;
mod mount;
mod serde_attrs;
mod signature;
mod template;
mod wire;

use proc_macro::TokenStream;

/// Makes an async function a handler.
#[proc_macro_attribute]
pub fn push_handler(args: TokenStream, item: TokenStream) -> TokenStream {
    handler::expand(args.into(), item.into()).into()
}

/// Makes an async function a handler of gaps.
#[proc_macro_attribute]
pub fn gap_handler(args: TokenStream, item: TokenStream) -> TokenStream {
    gap_handler::expand(args.into(), item.into()).into()
}

/// Mounts handlers by their names.
#[proc_macro]
pub fn handlers(elements: TokenStream) -> TokenStream {
    mount::expand(elements.into()).into()
}

/// Makes a type a push message.
#[proc_macro_derive(PushMessage, attributes(push, serde))]
pub fn push_message(input: TokenStream) -> TokenStream {
    message::expand(input.into()).into()
}
