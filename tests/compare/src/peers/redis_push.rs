//! redis-push over its default link, with handwritten handlers.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use redis_push::{
    Fault, FromPush, Handler, Json, Mount, Push, Rejection, Spec, Subscriber, Subscription,
};

use super::Running;
use crate::Result;
use crate::job::Job;
use crate::lanes::{Lane, Lanes};
use crate::payload::{Quote, QuoteRef};

struct OnQuote {
    channel: String,
    lane: Arc<Lane>,
}

impl Handler<()> for OnQuote {
    fn spec(&self) -> Spec {
        Spec::new("on_quote").on(Subscription::channel(self.channel.clone()))
    }

    async fn handle(&self, push: Push<'_>, _state: &()) -> Result<(), Fault> {
        if let Some(pause) = take(&self.lane, push)? {
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }
}

fn take(lane: &Lane, push: Push<'_>) -> Result<Option<Duration>, Rejection> {
    if !lane.decodes() {
        return Ok(lane.take(push.payload()));
    }
    let at = if lane.shares() {
        let quote: Arc<Json<Quote>> = Arc::from_push(push, &())?;
        black_box(&quote).0.at
    } else if lane.borrows() {
        let Json(quote): Json<QuoteRef<'_>> = Json::from_push(push, &())?;
        black_box(&quote).at
    } else {
        let Json(quote): Json<Quote> = Json::from_push(push, &())?;
        black_box(&quote).at
    };
    Ok(lane.handle(at))
}

pub(super) async fn start(job: &Job, port: u16, lanes: &Lanes) -> Result<Running> {
    start_on(Subscriber::new(url(port)), job, lanes).await
}

pub(super) fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}/")
}

pub(super) async fn start_on(
    subscriber: Subscriber<()>,
    job: &Job,
    lanes: &Lanes,
) -> Result<Running> {
    let mounts = (0..job.handlers).map(|index| {
        Mount::new(OnQuote {
            channel: job.channel(index),
            lane: lanes.lane(index),
        })
    });
    let handle = Arc::new(subscriber.handlers(mounts).start().await?);
    let asked = Arc::clone(&handle);
    Ok(Running::new(handle).with_lost(move || asked.stats().dropped()))
}
