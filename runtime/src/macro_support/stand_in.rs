//! Stand-ins for the types that plain functions do not have.
//!
//! `use stand_in::*; use the::path as __Handler;` takes the stand-in only where `path` names a
//! function and no type.

use super::{Gap, GapHandler, Handled, Handler, Push, Spec};

/// Says that a type is no stand-in.
pub trait Annotated {
    /// Whether an attribute has made the type; the stand-ins' own constant hides this one.
    const IS_HANDLER: bool = true;
}

impl<T> Annotated for T {}

/// Stands for what `#[push_handler]` would have made.
#[derive(Debug)]
pub struct __Handler {}

impl __Handler {
    /// See [`Annotated`].
    pub const IS_HANDLER: bool = false;
}

#[diagnostic::do_not_recommend]
impl<S: Sync> Handler<S> for __Handler {
    fn spec(&self) -> Spec {
        Spec::new("")
    }

    async fn handle(&self, _push: Push<'_>, _state: &S) -> Handled {
        Ok(())
    }
}

#[diagnostic::do_not_recommend]
impl<S: Sync> GapHandler<S> for __Handler {
    async fn handle(&self, _gap: &Gap, _state: &S) -> Handled {
        Ok(())
    }
}
