//! Checks of the options of one attribute together.

use std::collections::HashSet;

use super::args::Args;
use super::listen::{Listen, Target};
use super::on_error::OnError;
use super::value::example;
use crate::errors::Errors;

impl Args {
    pub(crate) fn validate(&self, errors: &mut Errors) {
        self.validate_names(errors);
        self.validate_numbers(errors);
        self.validate_connection(errors);
        self.validate_order(errors);
        self.validate_failures(errors);
    }

    fn validate_names(&self, errors: &mut Errors) {
        let mut seen = HashSet::new();
        for listen in &self.listen {
            let name = listen.text();
            if !seen.insert((listen.is_constant(), name.clone())) {
                errors.on(&listen.name, format!("`{name}` is in the list twice"));
            }
        }
    }

    fn validate_numbers(&self, errors: &mut Errors) {
        for (number, name, at_least) in [
            (&self.buffer, "buffer", "`buffer` must be at least 1"),
            (
                &self.buffer_bytes,
                "buffer_bytes",
                "`buffer_bytes` must be at least 1",
            ),
            (&self.workers, "workers", "`workers` must be at least 1"),
            (
                &self.retry,
                "retry",
                "`retry` must be at least 1; without it, nothing is repeated",
            ),
        ] {
            let Some(number) = number else { continue };
            match number.base10_parse::<usize>() {
                Ok(0) => errors.on(number, at_least),
                Ok(_) => {}
                Err(_) => errors.on(number, format!("expected `{}`", example(name))),
            }
        }
    }

    /// Refuses the options that have no meaning for connection events.
    fn validate_connection(&self, errors: &mut Errors) {
        let is_connection = |listen: &Listen| matches!(listen.target, Target::Connection);
        if !self.listen.iter().any(is_connection) {
            return;
        }
        if let Some(gap) = &self.on_gap {
            errors.on(
                gap,
                "a handler with `connection` never has a gap; remove `on_gap`, and set it on the \
                 handlers of channels",
            );
        }
        if let Some(workers) = &self.workers {
            errors.on(
                workers,
                "a handler with `connection` has one worker, which keeps its events in order; remove \
                 `workers`",
            );
        }
    }

    fn validate_order(&self, errors: &mut Errors) {
        let has_one_worker = self.workers.as_ref().is_none_or(|workers| {
            workers
                .base10_parse::<usize>()
                .is_ok_and(|count| count == 1)
        });
        if let Some(key) = &self.ordered_by
            && has_one_worker
        {
            errors.on(
                key,
                "`ordered_by` needs `workers` of at least 2; one worker already keeps the order",
            );
        }
    }

    /// Refuses policies for failures that lack what they need.
    fn validate_failures(&self, errors: &mut Errors) {
        if let Some(OnError::Resync(text)) = &self.on_error
            && self.on_gap.is_none()
        {
            errors.on(
                text,
                "`on_error = \"resync\"` needs a gap handler, which loads again what a failed delivery has \
                 not changed: add `on_gap = resync`",
            );
        }
        if let Some(delay) = &self.retry_delay
            && self.retry.is_none()
        {
            errors.on(
                &delay.text,
                "`retry_delay` needs `retry`, which says how often: add `retry = 3`",
            );
        }
    }
}
