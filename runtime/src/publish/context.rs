//! The span of a publish, and the trace context that its messages carry.

use super::command::Outgoing;
use super::publisher::Publisher;
use crate::error::Result;
use crate::push::Push;
use crate::telemetry::{OpenSpan, Spans, TraceParent};

/// What a publish takes from where it was called. Empty without spans, except for answers.
#[derive(Default)]
pub(super) struct PublishContext {
    /// The span of the caller, and what the type of the message calls its channels.
    caller: Option<Box<(OpenSpan, Option<String>)>>,
    /// The trace context of the message that the handler answers. It is used if the publish has no other one.
    answers: Option<TraceParent>,
}

/// The span of a publish that is under way.
pub(super) struct PublishSpan(OpenSpan);

impl Publisher {
    /// Sets spans, unless the publisher has some.
    pub(crate) fn or_spans(mut self, spans: Option<&Spans>) -> Self {
        if self.spans.is_none() {
            self.spans = spans.cloned();
        }
        self
    }

    /// Returns the context of a publish that is called now.
    pub(super) fn publishing(&self, template: impl FnOnce() -> Option<String>) -> PublishContext {
        let caller = self.spans.is_some().then(|| {
            let prefix = self.prefix.as_deref().unwrap_or_default();
            let template = template().map(|template| format!("{prefix}{template}"));
            Box::new((OpenSpan::current(), template))
        });
        PublishContext {
            caller,
            answers: None,
        }
    }

    /// Returns the context of an answer. Its trace goes on also where nothing makes spans.
    pub(super) fn answering(&self, push: Push<'_>, template: fn() -> String) -> PublishContext {
        let has_own = self.spans.as_ref().is_some_and(Spans::has_propagator);
        PublishContext {
            answers: match has_own {
                true => None,
                false => TraceParent::of_payload(push.payload()),
            },
            ..self.publishing(|| Some(template()))
        }
    }

    /// Opens the span of a publish, and writes the trace context into the messages that carry one.
    pub(super) fn begin(
        &self,
        messages: &mut [Outgoing],
        context: PublishContext,
    ) -> Option<PublishSpan> {
        let span = self.spans.as_ref().map(|spans| {
            let (parent, template) = context
                .caller
                .map_or_else(|| (OpenSpan::current(), None), |caller| *caller);
            let channel = messages.first().map_or(&b""[..], Outgoing::channel);
            spans.publish(&parent, template.as_deref(), channel, messages.len())
        });
        if messages.iter().any(Outgoing::carries_trace) {
            let spans = self.spans.as_ref().zip(span.as_ref());
            let own = || spans.and_then(|(spans, span)| spans.context(span));
            let trace = self.trace.or_else(own).or(context.answers);
            messages.iter_mut().for_each(|message| message.carry(trace));
        }
        span.map(PublishSpan)
    }
}

impl PublishSpan {
    /// Runs the publish in the span, and records its error.
    pub(super) async fn around<T>(self, publish: impl Future<Output = Result<T>>) -> Result<T> {
        let Self(span) = self;
        let result = span.around(publish).await;
        if let Err(error) = &result {
            span.fail(error.kind(), error);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Error;

    #[test]
    fn each_error_has_a_kind() {
        assert_eq!(Error::connection("away").kind(), "connection");
        assert_eq!(Error::timeout("late").kind(), "timeout");
    }
}
