use std::str::FromStr;

use super::FromPush;
use super::from_text::{FromText, param};
use crate::error::{BoxError, Rejection};
use crate::push::Push;

/// A param of the channel's name.
///
/// The argument has the name of the param: `Param(symbol): Param<Symbol>` is the text that
/// `{symbol}` of the handler's template matched. The value is converted with [`FromStr`], or with
/// `From<&str>` if the type has no `FromStr`, such as `Arc<str>`; a `Param<&str>` borrows. A handler may take params together with any message.
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
/// Rejects a text that does not parse. A channel that does not match the template is counted
/// `unmatched`, whether or not an argument takes its params.
///
/// In a handler written by hand, [`Push::param`] returns the text. Behind a type alias, or inside
/// an `Option` or a `Result`, the argument does not name a param, and is the only param of the
/// template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Param<T>(pub T);

impl Param<()> {
    pub(crate) fn find<'p>(name: &str, push: Push<'p>) -> Result<&'p str, Rejection> {
        push.param(name).ok_or_else(|| {
            let subscription = push.subscription();
            Rejection::new(format!("there is no param `{name}` in {subscription}"))
        })
    }
}

impl<'p, S, T: FromStr<Err: Into<BoxError>>> FromPush<'p, S> for Param<T> {
    fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        let subscription = push.subscription();
        let names = subscription.param_names();
        let [name] = &names[..] else {
            return Err(Rejection::new(format!(
                "expected one param in {subscription}, found {}; to choose one, write \
                 `Param(name): Param<T>`",
                names.len()
            )));
        };
        let text = Param::find(name, push)?;
        param(name, T::from_text(text)).map(Self)
    }
}
