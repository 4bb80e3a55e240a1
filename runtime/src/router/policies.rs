use std::fmt;
use std::time::Duration;

use super::wiring::HandlerWiring;
use crate::handler::Spec;

impl HandlerWiring {
    /// Returns the policies that are not the default, named as in the attribute.
    pub(super) fn policies(&self) -> String {
        let default = Self::of(&Spec::new(""));
        let set = |name: &str, value: &dyn fmt::Display| Some(format!("{name} = {value}"));
        let unless = |is_default: bool, policy: Option<String>| policy.filter(|_| !is_default);
        let time = |time: Duration| format!("{time:?}");
        let policies = [
            unless(self.buffer == default.buffer, set("buffer", &self.buffer)),
            unless(
                self.buffer_bytes == default.buffer_bytes,
                set("buffer_bytes", &self.buffer_bytes),
            ),
            unless(
                self.overflow == default.overflow,
                set("overflow", &self.overflow.name()),
            ),
            self.timeout.and_then(|limit| set("timeout", &time(limit))),
            unless(
                self.workers == default.workers,
                set("workers", &self.workers),
            ),
            self.ordered_by
                .as_ref()
                .and_then(|key| set("ordered_by", key)),
            unless(
                self.stall_limit == default.stall_limit,
                set("stall_limit", &time(self.stall_limit)),
            ),
            self.required.then(|| String::from("required")),
            self.on_gap.as_ref().and_then(|name| set("on_gap", name)),
            unless(
                self.on_error == default.on_error,
                set("on_error", &self.on_error),
            ),
            unless(self.retry == 0, set("retry", &self.retry)),
            unless(
                self.layers.is_empty(),
                set("around", &format_args!("[{}]", self.layers.join(", "))),
            ),
        ];
        policies
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", ")
    }
}
