//! Stand-ins for the types that plain functions do not have.
//!
//! A glob import gives way to an explicit one, so `use stand_in::*; use the::path as __Handler;`
//! names the stand-in only if `path` is a function without a type of the same name.

use super::{Gap, GapHandler, Handled, Handler, Push, Spec};

/// Tells stand-ins apart from the types of handlers.
pub trait Annotated {
    /// Whether an attribute has generated the type. The inherent constant of the stand-in hides
    /// this one.
    const IS_HANDLER: bool = true;

    /// Stands in for the call of a handler's function, which [`IS_HANDLER`](Self::IS_HANDLER) refuses.
    /// The method of the stand-in hides this one.
    fn called<F: ?Sized, R>(_function: &F) -> R {
        unreachable!("a handler whose function is called does not compile")
    }
}

impl<T> Annotated for T {}

/// Stands in for the type that `#[push_handler]` would have generated.
#[derive(Debug)]
pub struct __Handler {}

impl __Handler {
    /// See [`Annotated`].
    pub const IS_HANDLER: bool = false;

    /// Calls a function that makes a mount.
    pub fn called<R>(function: impl Fn() -> R) -> R {
        function()
    }
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
