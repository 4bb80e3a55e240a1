//! The expansion of each macro: from the tokens of a call to the code that replaces them.
//!
//! | module | macro |
//! | --- | --- |
//! | [`handler`] | `#[push_handler]` |
//! | [`gap_handler`] | `#[gap_handler]` |
//! | [`handlers`] | `handlers![..]` |
//! | [`message`] | `#[derive(PushMessage)]` |
//!
//! Each has a function `expand` with the same three stages: parse (`from_syn`), check (`validate`)
//! and generate. `glue` holds what the impls of both kinds of handlers share, and `fallback`
//! generates the code for a call with errors.
//!
//! # Dependencies
//!
//! `lib.rs` passes the tokens of a call and returns the tokens of its expansion to the compiler.
//! [`attr`](crate::attr) parses the options and [`ast`](crate::ast) the item; neither imports this
//! module.
//!
//! The generated code calls the hidden module `__private` of `redis-push`, which is the other half
//! of these macros. The two crates are released together and pinned to each other, so a name in
//! `__private` can change in both at once.
//!
//! # Invariants
//!
//! - The item under an attribute is emitted unchanged, also if there are errors, so that the rest
//!   of the crate and an editor still see it.
//! - Code is generated only from input without errors. Otherwise the expansion is the errors and
//!   the fallback, which declares the same names without any checks: one mistake is one error.
//! - Generated items stand in a `const _` block, except the type that has a handler's name. For a
//!   handler that block is in an attribute of the type, so that a type that cannot be declared is one
//!   error. Paths
//!   are absolute or start with `__p`, and generated identifiers start with `__`, so names in the
//!   user's scope cannot capture them.
//! - Tokens that can cause a compile error have the user's location (see
//!   [`spans`](crate::spans)).
//! - The expansions are compared with the files in `macros/snapshots`.

mod fallback;
pub(crate) mod gap_handler;
mod glue;
pub(crate) mod handler;
pub(crate) mod handlers;
pub(crate) mod message;
