//! One scenario, for every server and every clock.

use std::time::Duration;

use redis_push::testing::TestKit;
use redis_push::{Event, GapCause, Missed};

use crate::app::{Alarm, Notice, Reading, late};

/// Runs the scenario. It panics where the application does something else.
pub(crate) async fn scenario(kit: TestKit) -> redis_push::Result<()> {
    let heat = Reading {
        room: 7,
        celsius: 31.0,
    };
    let alarm = Alarm {
        room: 7,
        text: "31 °C".into(),
    };
    kit.handler("on_reading")
        .assert_gap(GapCause::Initial)
        .by("load");
    assert_eq!(kit.publish(&heat).await?, 1);
    kit.handler("on_reading")
        .assert_once()
        .with(&heat)
        .handled();
    kit.published::<Alarm>()
        .assert_once()
        .with(&alarm)
        .by("on_reading");
    kit.handler("on_alarm")
        .assert_once()
        .with(&alarm)
        .handled()
        .published::<Notice>()
        .assert_once();
    kit.handler("on_notice")
        .assert_once()
        .matching(|notice: &Notice| notice.text.starts_with("room 7"));

    kit.publish(&Reading {
        room: 8,
        celsius: 20.0,
    })
    .await?;
    kit.published::<Alarm>().assert_once();
    kit.handler("on_reading").called(2);

    what_comes_later(&kit, &heat).await?;
    failures(&kit, &heat).await?;
    losses(&kit, &heat).await?;
    kit.shutdown().await.assert_nothing_lost();
    Ok(())
}

/// A stream and a mount of run time.
async fn what_comes_later(kit: &TestKit, heat: &Reading) -> redis_push::Result<()> {
    kit.clear();
    let mut alarms = kit.handle().subscribe(Alarm::at_any()).await?;
    let reader = tokio::spawn(async move {
        let mut rooms = Vec::new();
        while let Some(event) = alarms.next().await {
            if let Event::Message(alarm) = event {
                rooms.push(alarm.room);
            }
        }
        rooms
    });
    let mounted = kit.handle().mount(late()).await?;
    kit.publish_all([heat, heat]).await?;
    kit.stream("alarms.{room}").called(2).handled();
    kit.handler("late").called(2).handled();
    kit.handler("on_notice").called(2);
    reader.abort();
    mounted.unmount().await;
    kit.publish(heat).await?;
    kit.handler("late").called(2);
    kit.handler("on_notice").called(3);
    Ok(())
}

async fn failures(kit: &TestKit, heat: &Reading) -> redis_push::Result<()> {
    kit.clear();
    kit.publish_raw("readings.7", r#"{"celsius":"hot"}"#)
        .await?;
    kit.handler("on_reading")
        .assert_once()
        .rejected("expected f64");
    kit.publish_to(
        "notices",
        &Notice {
            text: "fire".into(),
        },
    )
    .await?;
    kit.handler("on_notice").last().failed("fire brigade");
    kit.fail_next("on_reading", "out of order")?;
    kit.publish(heat).await?;
    kit.handler("on_reading").last().failed("out of order");
    kit.published::<Alarm>().assert_never();
    kit.publish(heat).await?;
    kit.handler("on_reading").called(3).last().handled();
    // The sink has its own address, and has written the three failures to the kit's server.
    let stats = kit.handle().stats().failures;
    assert_eq!((stats.told, stats.failed, stats.queued), (3, 0, 0));
    Ok(())
}

async fn losses(kit: &TestKit, heat: &Reading) -> redis_push::Result<()> {
    kit.clear();
    kit.lag("on_reading", 3).await?;
    let calls = kit.handler("on_reading");
    let lag = calls.assert_gap(GapCause::Lagged).by("load");
    assert_eq!(lag.gap().missed, Missed::Exactly(3));
    kit.handler("on_alarm").assert_no_gap();

    kit.slow(Duration::from_millis(50)).await?;
    kit.outage(Duration::from_millis(200)).await?;
    kit.handler("on_reading")
        .assert_gap(GapCause::ConnectionLost)
        .by("load");
    kit.handler("on_alarm").assert_gap(GapCause::ConnectionLost);
    kit.publish(heat).await?;
    kit.handler("on_reading").assert_once().with(heat);
    kit.handler("on_notice").assert_once().handled();
    Ok(())
}
