//! RustStream with its Redis broker: a handler type mounted on a Pub/Sub source, each with its own
//! connection. It reports a loss in a log line, which is read here.

use std::hint::black_box;
use std::sync::Arc;

use ruststream_fred::pubsub::prelude::*;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::{BUFFER, Running};
use crate::job::Job;
use crate::lanes::{Lane, Lanes};
use crate::payload::Quote;

struct OnQuote(Arc<Lane>);

impl Handle<Quote> for OnQuote {
    async fn handle(
        &self,
        quote: &Quote,
        _outs: &(),
        _context: &mut Context<'_>,
    ) -> Result<(), HandlerOutcome> {
        if let Some(pause) = self.0.handle(black_box(quote).at) {
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }
}

pub(super) async fn start(job: &Job, port: u16, lanes: &Lanes) -> crate::Result<Running> {
    lanes.reports_loss();
    tracing::subscriber::set_global_default(Log(lanes.clone()))?;
    let broker = RedisBroker::standalone(format!("redis://127.0.0.1:{port}"));
    let app = RustStream::new(AppInfo::new("compare", "0.0.0")).with_broker(broker, |scope| {
        for index in 0..job.handlers {
            let mut source = RedisPubSub::new(job.channel(index));
            if !job.own_buffers {
                source = source.buffer(BUFFER);
            }
            scope.include(subscriber(source, OnQuote(lanes.lane(index))).build());
        }
    });
    Ok(Running::new(app.start().await?))
}

/// Adds up the losses that warnings report.
struct Log(Lanes);

impl Subscriber for Log {
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= tracing::Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Lost(&self.0));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Lost<'a>(&'a Lanes);

impl Visit for Lost<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "lost" {
            self.0.add_lost(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
