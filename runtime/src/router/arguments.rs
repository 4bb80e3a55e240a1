//! What a handler's arguments and options need of its subscriptions. The macros check it for the
//! attribute; a mount, a prefix or a hand-written [`Spec`] may have other subscriptions.

use std::time::Duration;

use crate::handler::{MessageType, OnError, Spec};
use crate::message::Source;
use crate::subscription::{Kind, Subscription};

/// Returns why no push of the subscription could be handled, as a sentence that follows the handler and
/// the subscription.
pub(super) fn unmet(spec: &Spec, subscription: &Subscription) -> Option<String> {
    subscription
        .reserved()
        .or_else(|| no_channel(spec, subscription))
        .or_else(|| no_pattern(spec, subscription))
        .or_else(|| no_param(spec, subscription))
        .or_else(|| other_channel(spec, subscription))
        .or_else(|| no_json(spec, subscription))
        .or_else(|| no_key(spec, subscription))
}

/// Returns which option has a value that the attribute would refuse.
pub(super) fn refused_option(spec: &Spec) -> Option<&'static str> {
    match spec.timeout {
        Some(Duration::ZERO) => {
            Some("`timeout` must be greater than zero: every delivery would time out")
        }
        _ if spec.stall_limit.is_zero() => Some(
            "`stall_limit` must be greater than zero: the handler would always count as stalled",
        ),
        _ if spec.on_error == OnError::Resync && spec.on_gap.is_none() => Some(
            "`on_error = \"resync\"` needs a gap handler, which loads again what a failed delivery has not \
             changed: name one with `on_gap`",
        ),
        _ => None,
    }
}

fn no_channel(spec: &Spec, subscription: &Subscription) -> Option<String> {
    let has_none = matches!(subscription.kind(), Kind::Invalidation | Kind::Connection);
    let needed = spec.needs.channel.filter(|_| has_none)?;
    Some(format!(
        "that has no channel, and the handler takes a `{needed}`; remove the argument, or listen to a \
         channel"
    ))
}

fn no_pattern(spec: &Spec, subscription: &Subscription) -> Option<String> {
    (spec.needs.pattern && !subscription.is_pattern()).then(|| {
        String::from(
            "that is not a pattern, and the handler takes a `MatchedPattern`; take an `Option` of it, \
             or listen to a pattern",
        )
    })
}

/// Finds an argument `Param` without its param.
fn no_param(spec: &Spec, subscription: &Subscription) -> Option<String> {
    let params = subscription.param_names();
    let missing = spec
        .needs
        .params
        .iter()
        .find(|name| !params.contains(name))?;
    Some(format!(
        "that has no param `{{{missing}}}`, and the handler takes `Param({missing})`; {}",
        instead(&params)
    ))
}

/// Returns what to do about a param that is not in the name.
fn instead(params: &[&str]) -> String {
    let quoted: Vec<_> = params.iter().map(|name| format!("`{{{name}}}`")).collect();
    match &*quoted {
        [] => String::from("write it in the name, as `Subscription::template(\"orders.{id}\")`"),
        _ => format!("the name has only {}", quoted.join(", ")),
    }
}

/// Finds a message that is filled from params which the subscription does not have.
fn other_channel(spec: &Spec, subscription: &Subscription) -> Option<String> {
    let of_type = spec.message.as_ref()?.subscriptions;
    let needed = of_type.first()?.param_names();
    if needed.is_empty() {
        return None;
    }
    let params = subscription.param_names();
    if !params.is_empty() {
        let missing = needed.iter().find(|name| !params.contains(name))?;
        return Some(format!(
            "that has no param `{{{missing}}}`, which the message of the handler needs; {}",
            instead(&params)
        ));
    }
    // A name without params is matched against the templates of the type.
    let fits = of_type.iter().any(|own| own.may_describe(subscription));
    let own = of_type.first()?;
    (!fits)
        .then(|| format!("the message of the handler is filled from {own}, which never match it"))
}

fn no_json(spec: &Spec, subscription: &Subscription) -> Option<String> {
    let message = spec.message.as_ref()?;
    let reads_json = message.source == Some(Source::Channel) && message.codec == "json";
    (reads_json && subscription.is_keyspace()).then(|| {
        format!(
            "its events are plain words, and the handler's `{}` is read from JSON; take a `KeyEvent` \
             or a `&str`",
            message.written
        )
    })
}

/// Finds an `ordered_by` that no push has.
fn no_key(spec: &Spec, subscription: &Subscription) -> Option<String> {
    let key = spec.ordered_by.as_deref()?;
    if matches!(subscription.kind(), Kind::Invalidation | Kind::Connection) {
        return Some(format!(
            "that has no channel and no payload, so there is no `{key}` for `ordered_by`; remove it"
        ));
    }
    let message = spec.message.as_ref()?;
    if subscription.param_names().contains(&key) || may_have_field(message, key) {
        return None;
    }
    // A name without params may have those of the type's template.
    let of_type = &message.subscriptions;
    if subscription.params().is_none() && of_type.iter().any(|own| own.param_names().contains(&key))
    {
        return None;
    }
    Some(format!(
        "`ordered_by` is `{key}`, which is neither a param of the name nor a field of the message"
    ))
}

fn may_have_field(message: &MessageType, key: &str) -> bool {
    let may_be_json =
        message.codec == "json" || (message.subscriptions.is_empty() && message.codec != "msgpack");
    may_be_json && (message.fields.is_empty() || message.fields.contains(&key))
}
