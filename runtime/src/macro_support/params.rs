//! The params of a channel's name: into the fields of a message and back.

use std::fmt::Display;

use crate::error::{Error, Fault, Rejection};
use crate::extract::{FromText, Param, param};
use crate::push::Push;
use crate::subscription::Subscription;

use crate::error::Result as Written;

/// The text of each param in the push's channel name, in the order of `names`.
///
/// The subscription's own template is asked first: a mount may have changed it. `of_type` are what
/// the message type names; those know nothing of a prefix.
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
    found.ok_or_else(|| Rejection::unmatched("the channel is not of the template"))
}

/// The channel's name with each param's text in its place.
///
/// # Errors
///
/// When the params could not be read back from it.
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

/// An argument that is named like its param.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the `Param` of `redis_push`",
    label = "an argument type of this name is taken for a param of the channel",
    note = "import a type of your own under another name"
)]
pub trait NamedParam<'p, Via>: Sized {
    /// Takes the param of that name.
    fn named(name: &'static str, push: Push<'p>) -> Result<Self, Rejection>;
}

impl<'p, T: FromText<'p, Via>, Via> NamedParam<'p, Via> for Param<T> {
    fn named(name: &'static str, push: Push<'p>) -> Result<Self, Rejection> {
        let text = Param::find(name, push)?;
        param(name, text).map(Self)
    }
}

/// Takes a `Param` argument, which is named like the param.
pub fn param_arg<'p, T: NamedParam<'p, Via>, Via>(
    name: &'static str,
    push: Push<'p>,
) -> Result<T, Fault> {
    T::named(name, push).map_err(Fault::Rejected)
}
