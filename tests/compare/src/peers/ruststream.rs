//! RustStream with its Redis broker: a handler type mounted on a Pub/Sub source, each with a
//! connection of its own. It tells a loss in a log line only.

use std::hint::black_box;
use std::sync::Arc;

use ruststream_fred::pubsub::prelude::*;

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
