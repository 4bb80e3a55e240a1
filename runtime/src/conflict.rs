//! Two handlers that take different messages from one name.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::error::{Error, Result};
use crate::spec::Spec;

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
