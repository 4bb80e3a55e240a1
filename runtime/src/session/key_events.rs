//! Whether the server publishes the key events that handlers listen to.
//!
//! A server publishes none by default, and accepts the subscription even so. Without this check, a
//! handler with `keyspace` would be confirmed and would never receive anything.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::{REPLY_TIMEOUT, Session};
use crate::connection::{Connection, Setting};
use crate::error::Error;
use crate::subscription::{KeyEventFlags, Subscription};

const SETTING: &str = "notify-keyspace-events";

impl Session {
    /// Removes the subscriptions to key events that the server does not publish, and records them as
    /// denied. With `configure_keyspace_events` the server's setting is changed instead.
    ///
    /// If the setting is not known yet, removes all of them, and returns why: they are requested later.
    pub(super) async fn check_key_events(
        &self,
        connection: &mut Connection,
        wanted: &mut Vec<Subscription>,
    ) -> Result<Option<String>, Error> {
        if wanted.iter().all(|one| KeyEventFlags::of(one).is_none()) {
            return Ok(None);
        }
        let not_now = |wanted: &mut Vec<Subscription>, why| {
            wanted.retain(|one| {
                let is_known = KeyEventFlags::of(one).is_none();
                if !is_known {
                    self.dispatcher.postpone(self.node, one);
                }
                is_known
            });
            Ok(Some(why))
        };
        let asking = connection.setting(SETTING);
        let Some(answer) = self.unless_silent(REPLY_TIMEOUT, asking).await else {
            return not_now(wanted, format!("no answer to `CONFIG GET {SETTING}`"));
        };
        let mut setting = match answer? {
            Setting::Is(setting) => setting,
            Setting::Unreadable => {
                self.warn_once();
                return Ok(None);
            }
            Setting::NotNow(code) => return not_now(wanted, code),
        };
        let mut refusal = None;
        if self.settings.configure_keyspace_events {
            let mut merged = setting.clone();
            for flags in wanted.iter().filter_map(KeyEventFlags::of) {
                merged.push_str(&flags.missing_in(&merged));
            }
            if merged != setting {
                let setting_it = connection.set_setting(SETTING, &merged);
                let Some(answer) = self.unless_silent(REPLY_TIMEOUT, setting_it).await else {
                    return not_now(wanted, format!("no answer to `CONFIG SET {SETTING}`"));
                };
                refusal = answer?;
                if refusal.is_none() {
                    tracing::info!(
                        target: "redis_push",
                        before = setting,
                        now = merged,
                        "`{SETTING}` changed on the server"
                    );
                    setting = merged;
                }
            }
        }
        wanted.retain(|subscription| {
            let flags = KeyEventFlags::of(subscription);
            let missing = flags.map_or_else(String::new, |flags| flags.missing_in(&setting));
            if missing.is_empty() {
                return true;
            }
            let what_to_do = match &refusal {
                Some(reason) => format!("and refuses to change it: {reason}"),
                None => "set it there, or use `Subscriber::configure_keyspace_events`".to_owned(),
            };
            let reason = format!(
                "the server publishes no such events: its `{SETTING}` is `{setting}` and lacks \
                 `{missing}`; {what_to_do}"
            );
            self.denied(subscription, Arc::from(reason));
            false
        });
        Ok(None)
    }

    fn warn_once(&self) {
        if !self.has_warned.swap(true, Relaxed) {
            tracing::warn!(
                target: "redis_push",
                "the user may not read `{SETTING}` on the server, so it is not known whether the server \
                 publishes key events; it needs `K` or `E` and a class, such as `KA`"
            );
        }
    }
}
