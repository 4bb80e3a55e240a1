//! A message whose params are not in the names that its handler was mounted on.

use crate::error::{Error, Result};
use crate::spec::Spec;
use crate::subscription::Subscription;

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
