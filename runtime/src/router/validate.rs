//! Checks of all specs together, before the start. In an attribute the macros check the same at
//! compile time, but a mount may set another subscription.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use super::arguments::{refused_option, unmet};
use crate::error::{Error, Result};
use crate::handler::Spec;
use crate::subscription::Kind;

/// How many conflicts an error lists: two handlers may share thousands of names.
const SHOWN: usize = 10;

/// Refuses two handlers on one name whose message types both name their channel, but differ: a
/// message published there has one type.
pub(crate) fn refuse_conflicts<'s>(specs: impl IntoIterator<Item = &'s Spec>) -> Result<()> {
    let mut first_of = HashMap::new();
    let mut conflicts = String::new();
    let mut count = 0;
    for spec in specs {
        let Some(name) = type_name(spec) else {
            continue;
        };
        for subscription in &spec.subscriptions {
            let first: &Spec = first_of.entry(subscription.key()).or_insert(spec);
            if let Some(first_name) = type_name(first)
                && first_name != name
            {
                count += 1;
                if count > SHOWN {
                    continue;
                }
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
    if count > SHOWN {
        let _ = write!(conflicts, "\n  and {} more", count - SHOWN);
    }
    Err(Error::config(format!(
        "handlers take different messages from one name:{conflicts}\nuse the same type in both; for \
         another view of the payload take `Json<T>` or `&str`"
    )))
}

/// Refuses a handler that is mounted twice under one name and on one subscription: it would handle
/// each message twice. A handler is known by its place, and one written by hand may have none.
pub(crate) fn refuse_repeated<'s>(specs: impl IntoIterator<Item = &'s Spec>) -> Result<()> {
    let mut seen = HashSet::new();
    for spec in specs {
        let Some(place) = spec.place else {
            continue;
        };
        for subscription in &spec.subscriptions {
            if !seen.insert((place, &spec.name, subscription.key())) {
                return Err(Error::config(format!(
                    "{} is mounted twice on {subscription}, and would handle each message twice: \
                     mount it once, or, if you want this, give each mount a name with `.named(..)`",
                    spec.label(),
                )));
            }
        }
    }
    Ok(())
}

/// Returns the name of the message type, if that type names its channel.
fn type_name(spec: &Spec) -> Option<&'static str> {
    spec.message.as_ref()?.whole_name.map(|name| name())
}

/// Refuses a handler whose arguments or options need something that its subscription does not have: no
/// push could be handled.
pub(crate) fn refuse_unfilled<'s>(specs: impl IntoIterator<Item = &'s Spec>) -> Result<()> {
    for spec in specs {
        if let Some(reason) = refused_option(spec) {
            return Err(Error::config(format!("{}: {reason}", spec.label())));
        }
        for subscription in &spec.subscriptions {
            if let Some(reason) = unmet(spec, subscription) {
                return Err(Error::config(format!(
                    "{} listens to {subscription}: {reason}",
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
                    "{} takes {}, but listens to {subscription}, where that never arrives: change the subscription or \
                     the argument",
                    spec.label(),
                    source.in_words(),
                )));
            }
            if subscription.kind() != Kind::Connection {
                continue;
            }
            let mistake = if spec.subscriptions.len() > 1 {
                "and to something else: write another handler for that"
            } else if spec.workers > 1 {
                "with several workers, but its events are delivered in order: remove `workers`"
            } else if spec.on_gap.is_some() {
                "and has a gap handler, but its events have no gaps: remove `on_gap`"
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
