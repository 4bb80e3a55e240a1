//! redis-push over its wire link, with the same handlers.

use redis_push::Subscriber;

use super::Running;
use super::redis_push::{start_on, url};
use crate::Result;
use crate::job::Job;
use crate::lanes::Lanes;

pub(super) async fn start(job: &Job, port: u16, lanes: &Lanes) -> Result<Running> {
    start_on(Subscriber::new(url(port)).wire(), job, lanes).await
}
