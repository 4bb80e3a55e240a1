//! What handlers that come and go cost.

use std::future::pending;
use std::time::Duration;

use redis_push::testing::Broker;
use redis_push::{Handle, MountGuard, Subscriber, Subscription, handlers, push_handler};
use stats_alloc::Region;
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

use super::ALLOCATOR;

#[push_handler(channel = "room")]
async fn on_said(text: &str) {
    let _ = text;
}

/// Returns how many bytes are allocated while handlers are mounted one after another, each on a name of
/// its own.
async fn mount_one_by_one(handle: &Handle, first: usize, mounted: &mut Vec<MountGuard>) -> usize {
    let region = Region::new(ALLOCATOR);
    for number in first..first + 50 {
        let room = Subscription::channel(format!("room.{number}"));
        mounted.push(handle.mount(handlers![on_said.on(room)]).await.unwrap());
    }
    region.change().bytes_allocated
}

pub(super) fn to_mount_a_handler_does_not_cost_what_is_mounted() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Broker::start().await.unwrap();
        let handle = Subscriber::new(server.url()).start().await.unwrap();
        let mut mounted = Vec::new();
        let with_few = mount_one_by_one(&handle, 0, &mut mounted).await;
        let many = (0..4_000).map(|number| {
            let room = Subscription::channel(format!("hall.{number}"));
            handlers![on_said.on(room)]
        });
        let many: Vec<_> = many.flatten().collect();
        mounted.push(handle.mount(many).await.unwrap());
        let with_many = mount_one_by_one(&handle, 1_000, &mut mounted).await;
        println!("allocated {with_few} bytes beside 50 handlers, {with_many} beside 4,050");
        // The watchdog and the health look at all handlers now and then.
        assert!(
            with_many < 10 * with_few,
            "{with_many} bytes instead of {with_few}"
        );
    });
}

#[push_handler(channel = "stuck")]
async fn on_stuck(text: &str) {
    std::hint::black_box(text);
    pending::<()>().await;
}

pub(super) fn what_waits_for_a_handler_goes_soon_after_it() {
    const MESSAGES: usize = 1_000;

    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Broker::start().await.unwrap();
        let handle = Subscriber::new(server.url()).start().await.unwrap();
        let mounted = handle.mount(handlers![on_stuck]).await.unwrap();
        let payload = "x".repeat(4_096);
        for _ in 0..MESSAGES {
            server.publish("stuck", &payload);
        }
        let soon = Duration::from_millis(10);
        let received = async {
            while handle.stats().handlers[0].received < MESSAGES as u64 {
                sleep(soon).await;
            }
        };
        timeout(Duration::from_secs(30), received).await.unwrap();
        let region = Region::new(ALLOCATOR);
        drop(mounted);
        // Nobody asks for the stats.
        let freed = async {
            loop {
                let change = region.change();
                let freed = change
                    .bytes_deallocated
                    .saturating_sub(change.bytes_allocated);
                if freed > MESSAGES * payload.len() / 2 {
                    break;
                }
                sleep(soon).await;
            }
        };
        timeout(Duration::from_secs(30), freed)
            .await
            .expect("the messages are freed");
    });
}
