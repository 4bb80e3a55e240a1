//! Checks of all specs together, before the start. In an attribute the macros check the same at
//! compile time, but a mount may set another subscription.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::error::{Error, Result};
use crate::handler::Spec;
use crate::subscription::{Kind, Subscription};

/// Refuses two handlers on one name whose message types both name their channel, but differ: a
/// message published there has one type.
pub(crate) fn refuse_conflicts<'s>(specs: impl IntoIterator<Item = &'s Spec>) -> Result<()> {
    let mut first_of = HashMap::new();
    let mut conflicts = String::new();
    for spec in specs {
        let Some(name) = type_name(spec) else {
            continue;
        };
        for subscription in &spec.subscriptions {
            let first: &Spec = first_of.entry(subscription.key()).or_insert(spec);
            if let Some(first_name) = type_name(first)
                && first_name != name
            {
                let _ = write!(
                    conflicts,
                    "\n  {subscription}: {} takes `{first_name}`, {} takes `{name}`",
                    first.label(),
                    spec.label(),
                );
            }
        }
    }
    if conflicts.is_empty() {
        return Ok(());
    }
    Err(Error::config(format!(
        "handlers take different messages from one name:{conflicts}\nuse the same type in both; for \
         another view of the payload take `Json<T>`, `&str` or the like"
    )))
}

/// Returns the name of the message type, if that type names its channel.
fn type_name(spec: &Spec) -> Option<&'static str> {
    spec.message.as_ref()?.whole_name.map(|name| name())
}

/// Refuses a handler whose subscription has params, but not all of those that fill its message: no
/// push would ever match.
pub(crate) fn refuse_unfilled<'s>(specs: impl IntoIterator<Item = &'s Spec>) -> Result<()> {
    for spec in specs {
        let message = spec.message.as_ref();
        let needed = message
            .and_then(|message| message.subscriptions.first())
            .map(Subscription::param_names)
            .unwrap_or_default();
        for subscription in &spec.subscriptions {
            let params = subscription.param_names();
            let missing = needed.iter().find(|name| !params.contains(name));
            // A name without params is matched against the template of the type.
            if let (Some(missing), false) = (missing, params.is_empty()) {
                return Err(Error::config(format!(
                    "{} listens to {subscription}, which has no param `{{{missing}}}`, but its \
                     message needs that param",
                    spec.label(),
                )));
            }
        }
    }
    Ok(())
}

/// Refuses a handler whose subscription never carries the message that it takes. Also refuses a
/// handler of the connection with other subscriptions, because connection events have no gaps and
/// the others have; or with several workers, because the events are delivered in order.
pub(crate) fn refuse_wrong_sources<'s>(specs: impl IntoIterator<Item = &'s Spec>) -> Result<()> {
    for spec in specs {
        let source = spec.message.as_ref().and_then(|message| message.source);
        for subscription in &spec.subscriptions {
            if let Some(source) = source.filter(|source| !source.is_carried_by(subscription)) {
                return Err(Error::config(format!(
                    "{} takes {}, and listens to {subscription}, which never carries that: change \
                     the subscription or the argument",
                    spec.label(),
                    source.in_words(),
                )));
            }
            if subscription.kind() != Kind::Connection {
                continue;
            }
            let mistake = if spec.subscriptions.len() > 1 {
                "and to something else: let two handlers do that"
            } else if spec.workers > 1 {
                "by several workers: its events are delivered in order"
            } else {
                continue;
            };
            return Err(Error::config(format!(
                "{} listens to the connection {mistake}",
                spec.label(),
            )));
        }
    }
    Ok(())
}
