use std::borrow::Cow;
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::sync::Arc;

use super::{PushMessage, TypeName};
use crate::error::{Error, Result};
use crate::subscription::{Kind, Subscription};
use crate::util::short_name;

/// The channels of a message type, with their params filled in.
///
/// The derive [`PushMessage`](macro@crate::PushMessage) adds two functions to a type: `at` takes the
/// params, in the order of the template, and `at_any` takes none and means every channel of the
/// template. A text param is a `&str`; any other is of the type of its field.
///
/// ```
/// use redis_push::{Address, Mount, PushMessage, handlers, push_handler};
///
/// #[derive(PushMessage)]
/// #[push(channel = "rooms.{room}.{user}")]
/// struct Said {
///     room: u32,
///     user: String,
///     text: String,
/// }
///
/// #[push_handler]
/// async fn on_said(said: Said) {
///     println!("{}: {}", said.user, said.text);
/// }
///
/// let ada: Address<Said> = Said::at(7, "ada");
/// assert_eq!(ada.name()?, "rooms.7.ada");
///
/// // Listens to this one channel, by its exact name.
/// let mounts: Vec<Mount<()>> = handlers![on_said.on(ada)];
/// # Ok::<(), redis_push::Error>(())
/// ```
///
/// It is what [`Mount::on`](crate::Mount::on) and
/// [`Publisher::publish_to`](crate::Publisher::publish_to) take. A type with several channels listens
/// to all of them at its address, and publishes on the first.
///
/// # Values that do not fit
///
/// The name of the channel must be read back as the same params: a param is not empty, and contains
/// no `.`, `:` or `/` unless it takes the rest (`{user*}`). With other values the address is not
/// valid. `at` does not return an error, so that it can be written where an address is expected:
/// whatever the address is passed to returns it, and so does [`name`](Self::name).
///
/// ```
/// # use redis_push::PushMessage;
/// # #[derive(PushMessage)]
/// # #[push(channel = "rooms.{room}.{user}")]
/// # struct Said {
/// #     room: u32,
/// #     user: String,
/// #     text: String,
/// # }
/// let error = Said::at(7, "ada.x").name().unwrap_err();
/// assert!(error.is_encode());
/// assert_eq!(
///     error.to_string(),
///     "`Said` has no channel with these params: the param `user` is \"ada.x\", which could not be \
///      read back from a channel `rooms.{room}.{user}`; `{user*}` in its place takes `.`, `:` and \
///      `/` too"
/// );
/// ```
///
/// A value is never part of a pattern: `Said::at(7, "*")` is the channel `rooms.7.*`, and no other.
#[must_use = "an address does nothing by itself"]
pub struct Address<M> {
    /// At least one, or why there is none. Many addresses may share the error.
    pub(super) subscriptions: Result<Cow<'static, [Subscription]>, Arc<Error>>,
    of: PhantomData<fn() -> M>,
}

impl<M: PushMessage> Address<M> {
    /// Creates the address at which the params of the type's channels have these values.
    ///
    /// The derive's function `at` calls this. A type whose [`PushMessage`] is written by hand has no
    /// such function.
    ///
    /// ```
    /// use redis_push::{Address, PushMessage};
    ///
    /// # #[derive(PushMessage)]
    /// # #[push(channel = "quotes.{symbol}")]
    /// # struct Quote {
    /// #     symbol: String,
    /// # }
    /// let quotes = Address::<Quote>::new(&[("symbol", &"ACME")]);
    /// assert_eq!(quotes.name()?, "quotes.ACME");
    /// # Ok::<(), redis_push::Error>(())
    /// ```
    pub fn new(params: &[(&str, &dyn Display)]) -> Self {
        Self::of(filled(M::SUBSCRIPTIONS, params, std::any::type_name::<M>))
    }

    /// Creates the address of every channel of the type: its patterns, and its channels that have no
    /// params.
    ///
    /// The derive's function `at_any` calls this.
    pub fn any() -> Self {
        if M::SUBSCRIPTIONS.is_empty() {
            return Self::new(&[]);
        }
        Self::of(Ok(Cow::Borrowed(M::SUBSCRIPTIONS)))
    }
}

impl<M> Address<M> {
    fn of(subscriptions: Result<Cow<'static, [Subscription]>>) -> Self {
        Self {
            subscriptions: subscriptions.map_err(Arc::new),
            of: PhantomData,
        }
    }

    /// Adds a prefix to the name of each channel, as [`Mount::prefix`](crate::Mount::prefix) does.
    ///
    /// The prefix is literal, in a pattern too. Params keep their names and their values. After
    /// several calls, the prefix of the last call comes first.
    ///
    /// ```
    /// # use redis_push::PushMessage;
    /// # #[derive(PushMessage)]
    /// # #[push(channel = "quotes.{symbol}")]
    /// # struct Quote {
    /// #     symbol: String,
    /// # }
    /// assert_eq!(Quote::at("ACME").prefix("eu:").name()?, "eu:quotes.ACME");
    /// # Ok::<(), redis_push::Error>(())
    /// ```
    pub fn prefix(self, prefix: impl AsRef<str>) -> Self {
        let Ok(subscriptions) = &self.subscriptions else {
            return self;
        };
        Self::of(prefixed(subscriptions, prefix.as_ref()))
    }

    /// Returns the name of the channel that messages are published on at this address: that of the
    /// first, if the type has several.
    ///
    /// # Errors
    ///
    /// Returns an error ([`Error::is_encode`]) if the params [do not fit](Self#values-that-do-not-fit),
    /// or if the address is that of a pattern, such as every channel of a template.
    pub fn name(&self) -> Result<&str> {
        self.channel().map(|(_, name)| name)
    }

    /// Returns the kind and the name of the channel that messages are published on.
    ///
    /// # Errors
    ///
    /// As [`name`](Self::name).
    pub(crate) fn channel(&self) -> Result<(Kind, &str)> {
        let first = &self.subscriptions()?[0];
        match first.kind() {
            kind @ (Kind::Channel | Kind::Shard) => Ok((kind, first.name())),
            _ => Err(no_single_channel(first, std::any::type_name::<M>)),
        }
    }

    /// Returns the subscriptions, of which there is at least one.
    ///
    /// # Errors
    ///
    /// When the params do not fit.
    pub(crate) fn subscriptions(&self) -> Result<&[Subscription]> {
        match &self.subscriptions {
            Ok(subscriptions) => Ok(subscriptions),
            Err(error) => Err(error.again()),
        }
    }
}

// The functions below know the type by its name alone, so that they are compiled once.

fn filled(
    of_type: &'static [Subscription],
    params: &[(&str, &dyn Display)],
    type_name: TypeName,
) -> Result<Cow<'static, [Subscription]>> {
    let mut filled: Vec<Subscription> = Vec::with_capacity(of_type.len());
    for subscription in of_type {
        let subscription = subscription.filled(params).map_err(|reason| {
            let label = label(type_name);
            Error::encode(format!(
                "`{label}` has no channel with these params: {reason}"
            ))
        })?;
        if let Some(reason) = subscription.reserved() {
            let label = label(type_name);
            return Err(Error::encode(format!(
                "`{label}` has no channel with these params: {reason}"
            )));
        }
        // Two templates may describe the same channel.
        if filled.iter().all(|other| other.key() != subscription.key()) {
            filled.push(subscription);
        }
    }
    if filled.is_empty() {
        let label = label(type_name);
        return Err(Error::encode(format!("`{label}` names no channel")));
    }
    Ok(filled.into())
}

fn prefixed(subscriptions: &[Subscription], prefix: &str) -> Result<Cow<'static, [Subscription]>> {
    if let Some(event) = subscriptions.iter().find(|name| name.is_of_one_event()) {
        let name = event.name();
        return Err(Error::encode(format!(
            "no prefix can go before `{name}`, which names an event and not keys"
        )));
    }
    let subscriptions = subscriptions.iter().cloned();
    let prefixed = subscriptions.map(|name| name.prefixed(prefix));
    let prefixed: Vec<_> = prefixed.collect();
    match prefixed.iter().find_map(Subscription::reserved) {
        Some(reason) => Err(Error::encode(format!(
            "no prefix can be {prefix:?}: {reason}"
        ))),
        None => Ok(prefixed.into()),
    }
}

fn no_single_channel(subscription: &Subscription, type_name: TypeName) -> Error {
    let label = label(type_name);
    let instead = if subscription.params().is_some() {
        "use the address with its params"
    } else {
        "pass the name of one channel"
    };
    Error::encode(format!(
        "this address of `{label}` stands for {subscription}, but a message is published on one \
         channel: {instead}"
    ))
}

/// Returns the name of the type as users write it in a path, for errors.
fn label(type_name: TypeName) -> &'static str {
    let name = short_name(type_name());
    name.split('<').next().unwrap_or(name)
}

impl<M> Clone for Address<M> {
    fn clone(&self) -> Self {
        Self {
            subscriptions: self.subscriptions.clone(),
            of: PhantomData,
        }
    }
}

impl<M> fmt::Debug for Address<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("of", &label(std::any::type_name::<M>))
            .field("subscriptions", &self.subscriptions)
            .finish()
    }
}

/// Shows the names, separated by commas. Instead of a pattern, its template is shown; instead of an
/// address that is not valid, the reason.
impl<M> Display for Address<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subscriptions = match &self.subscriptions {
            Ok(subscriptions) => subscriptions,
            Err(error) => return write!(f, "{error}"),
        };
        for (index, subscription) in subscriptions.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}", subscription.text().escape_debug())?;
        }
        Ok(())
    }
}
