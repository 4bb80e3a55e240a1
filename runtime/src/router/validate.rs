//! Two handlers that take different messages from one name.
//!
//! A message whose params are not in the names that its handler was mounted on.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::handler::Spec;
use crate::subscription::{Kind, Subscription};

use std::fmt::Write as _;

/// Refuses handlers whose message types name their channel, differ, and meet on one name: what is
/// published there is one of them.
pub(crate) fn refuse_conflicts<'s>(specs: impl IntoIterator<Item = &'s Spec>) -> Result<()> {
    let mut first_of = HashMap::new();
    let mut conflicts = String::new();
    for spec in specs {
        let Some(name) = whole_name(spec) else {
            continue;
        };
        for subscription in &spec.subscriptions {
            let first: &Spec = first_of.entry(subscription.key()).or_insert(spec);
            if let Some(first_name) = whole_name(first)
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
        "handlers take different messages from one name:{conflicts}\nlet them take the same type; \
         for another view of the payload take `Json<T>`, `&str` or the like"
    )))
}

/// Of the message, if its type names its channel.
fn whole_name(spec: &Spec) -> Option<&'static str> {
    spec.message.as_ref()?.whole_name.map(|name| name())
}

/// Refuses a handler that takes what its subscription never carries, and one that listens to the
/// connection among other things, or by several workers: its stream has no gaps, theirs have, and
/// it is told in order. In the attribute the macros see to that; a mount may say something else.
pub(crate) fn refuse_wrong_sources<'s>(specs: impl IntoIterator<Item = &'s Spec>) -> Result<()> {
    for spec in specs {
        let taken = spec.message.as_ref().and_then(|message| message.source);
        for subscription in &spec.subscriptions {
            if let Some(taken) = taken.filter(|taken| !taken.is_carried_by(subscription)) {
                return Err(Error::config(format!(
                    "{} takes {}, and listens to {subscription}, which carries none: mount it on \
                     what carries that, or let it take something else",
                    spec.label(),
                    taken.in_words(),
                )));
            }
            if subscription.kind() != Kind::Connection {
                continue;
            }
            let mistake = if spec.subscriptions.len() > 1 {
                "and to something else: let two handlers do that"
            } else if spec.workers > 1 {
                "by several workers: its events are told in order"
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

/// Refuses a handler whose subscription has params, but not all of those that its message is filled
/// from: no push would ever match. In the attribute the macros see to that; a mount may say another
/// name.
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
            // A name without params is read by the template of the type.
            if let (Some(missing), false) = (missing, params.is_empty()) {
                return Err(Error::config(format!(
                    "{} listens to {subscription}, which has no param `{{{missing}}}`: its message \
                     is filled from that",
                    spec.label(),
                )));
            }
        }
    }
    Ok(())
}
