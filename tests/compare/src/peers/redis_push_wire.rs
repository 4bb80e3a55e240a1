//! redis-push over its wire link.

use super::Running;
use crate::Result;
use crate::job::Job;
use crate::lanes::Lanes;

#[cfg(feature = "wire")]
pub(super) async fn start(job: &Job, port: u16, lanes: &Lanes) -> Result<Running> {
    use super::redis_push::{start_on, url};

    start_on(redis_push::Subscriber::new(url(port)).wire(), job, lanes).await
}

#[cfg(not(feature = "wire"))]
pub(super) async fn start(_: &Job, _: u16, _: &Lanes) -> Result<Running> {
    Err("built without the feature `wire`".into())
}
