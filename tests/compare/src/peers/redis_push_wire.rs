//! redis-push over its wire link, with the same handlers.

use std::time::Duration;

use redis_push::Subscriber;

use super::Running;
use super::redis_push::{start_on, url};
use crate::Result;
use crate::job::Job;
use crate::lanes::Lanes;

pub(super) async fn start(job: &Job, port: u16, lanes: &Lanes) -> Result<Running> {
    let mut subscriber = Subscriber::new(url(port)).wire();
    if let Some(wait) = job.wire_wait {
        subscriber = subscriber.wire_wait(Duration::from_millis(wait));
    }
    start_on(subscriber, job, lanes).await
}
