//! Arguments whose types have the name of an extractor of a web framework, or are mistaken for
//! extractors in another way.
//!
//! A macro sees only the name of a type. Each trait here holds for every extractor of that name, and its
//! message asks whether another one was meant. There is none for `Json`: it would hide the error for a
//! payload that is not `Deserialize`.

use crate::extract::{FromGap, FromPush};

/// Push handler arguments named `State`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be used as a push handler argument; is this `redis_push::State`?",
    label = "not an extractor of `redis_push`"
)]
pub trait NamedState<'p, S>: FromPush<'p, S> {}

#[diagnostic::do_not_recommend]
impl<'p, S, T: FromPush<'p, S>> NamedState<'p, S> for T {}

/// Push handler arguments named `Extension`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be used as a push handler argument; is this `redis_push::Extension`, of a type that is `Clone`, `Send` and `Sync`?",
    label = "not an extractor of `redis_push`",
    note = "an `Extension` is a value that a layer has passed on, and is cloned: wrap it in an `Arc`",
    note = "shared data is taken as `State<T>`"
)]
pub trait NamedExtension<'p, S>: FromPush<'p, S> {}

#[diagnostic::do_not_recommend]
impl<'p, S, T: FromPush<'p, S>> NamedExtension<'p, S> for T {}

/// Push handler arguments named `Path`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be used as a push handler argument; is this `redis_push::Param`?",
    label = "not an extractor of `redis_push`",
    note = "a part of the channel's name is `Param(id): Param<u64>`, named like `{{id}}` in the channel"
)]
pub trait NamedPath<'p, S>: FromPush<'p, S> {}

#[diagnostic::do_not_recommend]
impl<'p, S, T: FromPush<'p, S>> NamedPath<'p, S> for T {}

/// Push handler arguments named `Query` or `Form`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be used as a push handler argument; is this `redis_push::Json` or `redis_push::Param`?",
    label = "not an extractor of `redis_push`",
    note = "a push has a channel and a payload, and no query: take the payload as `Json<T>`, or a part of the channel's name as `Param<T>`"
)]
pub trait NamedQuery<'p, S>: FromPush<'p, S> {}

#[diagnostic::do_not_recommend]
impl<'p, S, T: FromPush<'p, S>> NamedQuery<'p, S> for T {}

/// Push handler arguments named `Gap`.
#[diagnostic::on_unimplemented(
    message = "a push handler does not take a `Gap`; a gap handler does",
    label = "not a push handler argument",
    note = "write `#[gap_handler] async fn resync(gap: Gap)`, and name it in the attribute: `#[push_handler(.., on_gap = resync)]`"
)]
pub trait NamedGap<'p, S>: FromPush<'p, S> {}

#[diagnostic::do_not_recommend]
impl<'p, S, T: FromPush<'p, S>> NamedGap<'p, S> for T {}

/// Push handler arguments that are references.
#[diagnostic::on_unimplemented(
    message = "this reference cannot be used as a push handler argument; take the value itself",
    label = "only `&str` and `&[u8]` are borrowed from the payload",
    note = "for fields that borrow from the payload, take a type with a lifetime, such as `Quote<'_>`"
)]
pub trait Reference<'p, S>: FromPush<'p, S> {}

#[diagnostic::do_not_recommend]
impl<'p, S, T: FromPush<'p, S>> Reference<'p, S> for T {}

/// Gap handler arguments named `State` or `Extension`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be used as a gap handler argument; is this `redis_push::State`?",
    label = "not an extractor of `redis_push`"
)]
pub trait NamedGapState<'p, S>: FromGap<'p, S> {}

#[diagnostic::do_not_recommend]
impl<'p, S, T: FromGap<'p, S>> NamedGapState<'p, S> for T {}

/// Checks a gap handler argument named `State`.
pub const fn check_gap_state_arg<'p, T: NamedGapState<'p, S>, S>() {}
