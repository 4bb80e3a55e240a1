use std::str::FromStr;

use super::FromPush;
use super::from_text::{Parsed, param};
use crate::error::{BoxError, Rejection};
use crate::push::Push;

/// A param of the channel's name, beside whatever the payload is taken as.
///
/// The argument's name is the param's: `Param(symbol): Param<Symbol>` is what `{symbol}` of the
/// handler's template takes. The value is parsed by [`FromStr`]; a `Param<&str>` borrows.
///
/// ```
/// use redis_push::{Json, Mount, Param, handlers, push_handler};
///
/// #[push_handler(channel = "orders.{region}.{id}")]
/// async fn on_order(
///     Param(region): Param<&str>,
///     Param(id): Param<u64>,
///     Json(items): Json<Vec<String>>,
/// ) {
///     println!("order {id} of {region}: {items:?}");
/// }
///
/// let mounts: Vec<Mount<()>> = handlers![on_order];
/// ```
///
/// A text that does not parse is a rejection. A channel that is not of the template is counted
/// `unmatched`, whoever looks at its params.
///
/// By hand, [`Push::param`] gives the text. As an argument under another name of the type, or
/// inside an `Option` or a `Result`, it is the only param that the template has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Param<T>(pub T);

impl Param<()> {
    pub(crate) fn find<'p>(name: &str, push: Push<'p>) -> Result<&'p str, Rejection> {
        push.param(name).ok_or_else(|| {
            let subscription = push.subscription();
            Rejection::new(format!("{subscription} has no param `{name}`"))
        })
    }
}

impl<'p, S, T: FromStr<Err: Into<BoxError>>> FromPush<'p, S> for Param<T> {
    fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        let subscription = push.subscription();
        let names = subscription.param_names();
        let [name] = &names[..] else {
            return Err(Rejection::new(format!(
                "{subscription} has {} params, so it must be said which one is meant",
                names.len()
            )));
        };
        let text = Param::find(name, push)?;
        param::<T, Parsed>(name, text).map(Self)
    }
}
