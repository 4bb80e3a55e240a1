//! The Rust syntax that the macros are applied to, and the channel templates inside it.
//!
//! [`syn`] parses the tokens. The types here keep what the macros need from the result, check it,
//! and rewrite parts of it for the places where generated code repeats them.
//!
//! - [`Function`] is a function with an attribute: its signature, without the body.
//! - [`Template`] is a channel name with params, such as `orders.{id}`. It is text rather than
//!   Rust, but it stands in an attribute as a literal and is parsed here for the same reason: to
//!   check it before any code is generated.
//! - [`types`] replaces lifetimes and `Self` in a type, and looks at how a type is written. A macro
//!   sees no resolved types, so `Param` or `Option` is recognized by its name alone.
//! - [`attributes`] selects the attributes that generated code repeats.
//! - [`generics`] lists the generic parameters and `where` predicates for an `impl`.
//!
//! # Dependencies
//!
//! [`expand`](crate::expand) passes the item of a macro call, and [`attr`](crate::attr) passes the
//! templates in an attribute; both read the results. This module imports only
//! [`errors`](crate::errors) and [`spans`](crate::spans).
//!
//! # Invariants
//!
//! - Parsing and validation of a function are separate: `from_syn` fails only if the item is not a
//!   function, and `validate` adds every broken rule to [`Errors`](crate::errors::Errors). One run
//!   of the compiler then shows all mistakes in a signature.
//! - The body of a function is never parsed. Editors can complete inside a half-written handler.
//! - Rewritten types keep the spans of the user's tokens, so errors point at the user's code.
//! - [`Template`] accepts exactly what the runtime accepts, with the same error texts:
//!   `redis_push_template` parses for both.

pub(crate) mod attributes;
pub(crate) mod generics;
mod signature;
mod template;
pub(crate) mod types;

pub(crate) use signature::{Function, ParamArg};
pub(crate) use template::Template;
