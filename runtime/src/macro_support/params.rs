//! Conversion of the params of a channel's name into the fields of a message, and back.

use std::fmt::Display;

use crate::error::{Error, Fault, Rejection, Result as Written};
use crate::extract::{Param, TextError, param};
use crate::push::Push;
use crate::subscription::Subscription;

/// Returns the text of each param in the push's channel name, in the order of `names`.
///
/// The template of the subscription has priority, because a mount may have changed it. `of_type`
/// are the subscriptions that the message type names; their templates match the name without a
/// prefix.
pub fn params<'p, const N: usize>(
    push: Push<'p>,
    of_type: &[Subscription],
    names: [&str; N],
) -> Result<[&'p str; N], Rejection> {
    let channel = push.channel_str()?;
    let by = push.subscription();
    let found = match by.params() {
        Some(own) => own.capture(channel, names),
        None => {
            let channel = by.without_prefix(channel);
            let mut of_type = of_type.iter().filter_map(Subscription::params);
            of_type.find_map(|template| template.capture(channel, names))
        }
    };
    found.ok_or_else(|| Rejection::unmatched("the channel does not match the template"))
}

/// Returns the channel's name in which each param is replaced with the text of its value.
///
/// # Errors
///
/// When a param could not be read back from the name.
pub fn channel(
    of_type: &[Subscription],
    label: &str,
    values: &[(&str, &dyn Display)],
) -> Written<String> {
    let fail = |reason: String| Error::encode(format!("`{label}` cannot be published: {reason}"));
    let Some(first) = of_type.first() else {
        return Err(fail(String::from("it names no channel")));
    };
    match first.params() {
        Some(template) => template.fill(values).map_err(fail),
        None => Ok(first.name().to_owned()),
    }
}

/// Arguments that have the name of their param.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the `Param` of `redis_push`",
    label = "an argument type named `Param` is a param of the channel",
    note = "import a type of your own under another name"
)]
pub trait NamedParam<T> {
    /// Creates the argument.
    fn new(value: T) -> Self;
}

impl<T> NamedParam<T> for Param<T> {
    fn new(value: T) -> Self {
        Self(value)
    }
}

/// Returns the text of a param.
pub fn param_text<'p>(name: &str, push: Push<'p>) -> Result<&'p str, Fault> {
    Param::find(name, push).map_err(Fault::Rejected)
}

/// Creates a `Param` argument, which has the name of its param, from its value.
pub fn param_arg<P: NamedParam<T>, T>(name: &str, value: Result<T, TextError>) -> Result<P, Fault> {
    param(name, value).map(P::new).map_err(Fault::Rejected)
}
