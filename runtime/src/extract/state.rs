use super::FromPush;
use super::from_gap::FromGap;
use crate::error::Rejection;
use crate::gap::Gap;
use crate::push::Push;

/// Shared data, cloned out of the subscriber's state for each delivery.
///
/// `T` is the state itself, which must then be `Clone`, or a part of it ([`FromRef`]). It should be
/// cheap to clone, such as an `Arc` or a connection pool.
///
/// ```
/// use std::sync::Arc;
/// use redis_push::{FromRef, State, Subscriber, handlers, push_handler};
///
/// struct Db;
///
/// struct App {
///     db: Arc<Db>,
/// }
///
/// impl FromRef<App> for Arc<Db> {
///     fn from_ref(app: &App) -> Self {
///         Arc::clone(&app.db)
///     }
/// }
///
/// #[push_handler(channel = "orders")]
/// async fn on_order(order: &str, State(db): State<Arc<Db>>) {
///     let _ = (order, db);
/// }
///
/// let subscriber = Subscriber::new("redis://127.0.0.1/")
///     .state(App { db: Arc::new(Db) })
///     .handlers(handlers![on_order]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State<T>(pub T);

impl<'p, S, T: FromRef<S>> FromPush<'p, S> for State<T> {
    fn from_push(_push: Push<'p>, state: &'p S) -> Result<Self, Rejection> {
        Ok(Self(T::from_ref(state)))
    }
}

impl<'p, S, T: FromRef<S>> FromGap<'p, S> for State<T> {
    fn from_gap(_gap: &'p Gap, state: &'p S) -> Result<Self, Rejection> {
        Ok(Self(T::from_ref(state)))
    }
}

/// Types that can be cloned out of a state, as a part of it.
///
/// ```
/// use redis_push::FromRef;
///
/// #[derive(Clone)]
/// struct Db;
///
/// struct App {
///     db: Db,
/// }
///
/// impl FromRef<App> for Db {
///     fn from_ref(app: &App) -> Self {
///         app.db.clone()
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "the state `{S}` does not contain the type `{Self}`",
    label = "needed by this handler",
    note = "implement `FromRef<{S}>` for `{Self}`, or pass a value of the type `{Self}` to `Subscriber::state` before `Subscriber::handlers`",
    note = "a state that is taken whole must be `Clone`: wrap it in an `Arc`"
)]
pub trait FromRef<S> {
    /// Clones the part out of the state.
    fn from_ref(state: &S) -> Self;
}

impl<T: Clone> FromRef<T> for T {
    fn from_ref(state: &T) -> Self {
        state.clone()
    }
}

/// A stand-in for the state of any subscriber: the macros check each argument against it where the
/// handler is written. It is not `Clone`, so that it can hold every type.
#[doc(hidden)]
#[derive(Debug)]
pub struct AnyState(());

/// A second state that holds every type. Without it, the compiler would infer [`AnyState`] as the
/// only state that holds a type that is not `Clone`, and name it in the error.
#[doc(hidden)]
#[derive(Debug)]
pub struct NoState(());

impl<T> FromRef<NoState> for T {
    fn from_ref(_state: &NoState) -> Self {
        unreachable!("`NoState` is never built")
    }
}

impl<T> FromRef<AnyState> for T {
    fn from_ref(_state: &AnyState) -> Self {
        unreachable!("`AnyState` is never built")
    }
}
