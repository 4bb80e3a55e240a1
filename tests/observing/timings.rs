use std::time::Duration;

use redis_push::testing::TestKit;
use redis_push::{Spans, Stats, Subscriber, Timings, handlers, push_handler};

use crate::collected::Collected;

/// Sleeps for as many milliseconds as the payload says, and then fails if that is odd.
#[push_handler(channel = "naps.{who}", timeout = "20s", retry = 1, retry_delay = "1s")]
async fn on_nap(text: &str) -> Result<(), String> {
    let millis = text.parse().expect("a number");
    tokio::time::sleep(Duration::from_millis(millis)).await;
    match millis % 2 {
        0 => Ok(()),
        _ => Err("odd".to_owned()),
    }
}

#[push_handler(channel = "naps.{who}", workers = 3)]
async fn on_nap_of_three(text: &str) {
    let millis = text.parse().expect("a number");
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

fn app() -> Subscriber {
    Subscriber::new("redis://unused/").handlers(handlers![on_nap, on_nap_of_three])
}

async fn stats_after(app: Subscriber, naps: &[&str]) -> Stats {
    let kit = TestKit::start(app).await.unwrap();
    for nap in naps {
        kit.publish_raw("naps.ann", nap).await.unwrap();
    }
    // Not delivered, so not measured.
    kit.publish_raw("naps.ann.again", "1").await.unwrap();
    kit.handle().stats()
}

#[tokio::test(start_paused = true)]
async fn deliveries_are_measured_with_their_repetitions_and_by_each_worker() {
    let bounds = [15, 150, 1_500].map(Duration::from_millis);
    let timings = Timings::default().bounds(bounds);
    let naps = ["0", "100", "400", "500", "31", "panic"];
    for app in [app(), app().spans(Spans::linked())] {
        let _collected = Collected::begin();
        let stats = stats_after(app.timings_with(timings.clone()), &naps).await;
        let one = stats.handler("on_nap").unwrap();
        let times = one.timings.as_ref().unwrap();
        assert_eq!(one.retries, 1);
        assert_eq!(times.bounds, bounds);
        // A panic takes no time. 31 ms are taken twice, with a pause of up to a second between them.
        assert_eq!(times.counts, [2, 1, 3, 0]);
        let expected = Duration::from_millis(1_062)..Duration::from_millis(2_100);
        assert!(expected.contains(&times.sum), "{times:?}");
        assert_eq!(times.count(), one.delivered() - one.unmatched);
        let three = stats.handler("on_nap_of_three").unwrap();
        let times = three.timings.as_ref().unwrap();
        assert_eq!(times.counts, [2, 2, 2, 0]);
        let expected = Duration::from_millis(1_031)..Duration::from_millis(1_050);
        assert!(expected.contains(&times.sum), "{times:?}");
        assert_eq!(times.quantile(0.5), Some(bounds[1]));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_measured_unless_it_is_asked_for() {
    let stats = stats_after(app(), &["20"]).await;
    assert_eq!(stats.handlers[0].timings, None);
    assert!(!stats.to_openmetrics().contains("duration"));
}

#[tokio::test(start_paused = true)]
async fn the_times_of_handlers_that_have_ended_stay() {
    let kit = TestKit::start(Subscriber::new("redis://unused/").timings()).await;
    let kit = kit.unwrap();
    for _ in 0..2 {
        let mounted = kit.handle().mount(handlers![on_nap]).await.unwrap();
        kit.publish_raw("naps.ann", "18").await.unwrap();
        mounted.unmount().await;
    }
    let stats = kit.handle().stats();
    let times = stats.unmounted[0].timings.as_ref().unwrap();
    assert_eq!(times.count(), 2);
    let expected = Duration::from_millis(36)..Duration::from_millis(42);
    assert!(expected.contains(&times.sum), "{times:?}");
    let text = stats.to_openmetrics();
    let labels = r#"handler="on_nap",messaging_destination_template="naps.{who}",le="0.02"} 2"#;
    assert!(text.contains(labels), "{text}");
    let json = serde_json::to_string(&stats).unwrap();
    assert_eq!(serde_json::from_str::<Stats>(&json).unwrap(), stats);
}

#[tokio::test(start_paused = true)]
async fn one_in_so_many_counts_for_all() {
    let timings = Timings::default().one_in(4);
    let naps = ["2"; 400];
    let stats = stats_after(app().timings_with(timings), &naps).await;
    let times = stats.handlers[0].timings.as_ref().unwrap();
    assert_eq!(times.count() % 4, 0);
    assert!((200..800).contains(&times.count()), "{}", times.count());
    let expected = Duration::from_millis(2)..Duration::from_millis(4);
    assert!(times.mean().is_some_and(|mean| expected.contains(&mean)));
}
