//! The application under test, and the mistakes that it may have.

use std::sync::{Arc, Mutex};

use redis_push::{
    FailureSink, FromRef, Gap, Mount, Publish, Publisher, PushMessage, State, Subscriber,
    gap_handler, handlers, push_handler,
};

/// An address that no test reaches: the kit has to redirect it.
const ELSEWHERE: &str = "redis://elsewhere.invalid/";

#[derive(Clone, Debug, PartialEq, PushMessage)]
#[push(channel = "readings.{room}")]
pub(crate) struct Reading {
    pub(crate) room: u32,
    pub(crate) celsius: f64,
}

/// The same with a mistake in the name of a field.
#[derive(Debug, PushMessage)]
#[push(channel = "readings.{room}", receive_only)]
struct WrongReading {
    room: u32,
    #[serde(rename = "fahrenheit")]
    celsius: f64,
}

#[derive(Clone, Debug, PartialEq, PushMessage)]
#[push(channel = "alarms.{room}")]
pub(crate) struct Alarm {
    pub(crate) room: u32,
    pub(crate) text: String,
}

#[derive(Clone, Debug, PartialEq, PushMessage)]
#[push(channel = "notices")]
pub(crate) struct Notice {
    pub(crate) text: String,
}

/// The state: a publisher with an address of its own, and how often the data was loaded.
#[derive(Clone)]
pub(crate) struct App {
    publisher: Publisher,
    loads: Arc<Mutex<u32>>,
}

impl FromRef<App> for Publisher {
    fn from_ref(app: &App) -> Self {
        app.publisher.clone()
    }
}

#[gap_handler]
async fn load(_gap: Gap, State(app): State<App>) {
    *app.loads.lock().unwrap() += 1;
}

fn alarm(room: u32, celsius: f64) -> Option<Publish<Alarm>> {
    let text = format!("{celsius} °C");
    (celsius > 30.0).then_some(Publish(Alarm { room, text }))
}

#[push_handler(on_gap = load)]
async fn on_reading(reading: Reading) -> Option<Publish<Alarm>> {
    alarm(reading.room, reading.celsius)
}

#[push_handler(workers = 4)]
async fn on_alarm(alarm: Alarm, State(publisher): State<Publisher>) -> redis_push::Result<()> {
    let text = format!("room {}: {}", alarm.room, alarm.text);
    publisher.publish(&Notice { text }).await?;
    Ok(())
}

#[push_handler]
async fn on_notice(notice: Notice) -> Result<(), &'static str> {
    match notice.text.contains("fire") {
        true => Err("call the fire brigade"),
        false => Ok(()),
    }
}

/// Has no gap handler.
#[push_handler]
async fn forgets_to_load(reading: Reading) -> Option<Publish<Alarm>> {
    alarm(reading.room, reading.celsius)
}

#[push_handler(on_gap = load)]
async fn alarms_twice(
    reading: Reading,
    publisher: Publisher,
) -> redis_push::Result<Option<Publish<Alarm>>> {
    let answer = alarm(reading.room, reading.celsius);
    if let Some(Publish(alarm)) = &answer {
        publisher.publish(alarm).await?;
    }
    Ok(answer)
}

#[push_handler(on_gap = load)]
async fn reads_fahrenheit(reading: WrongReading) -> Option<Publish<Alarm>> {
    alarm(reading.room, reading.celsius)
}

/// A mistake in the application.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mistake {
    None,
    SkipsAHandler,
    SwallowsAGap,
    PublishesTwice,
    DecodesWrong,
}

/// What `main` would run.
pub(crate) fn app(url: &str, mistake: Mistake) -> Subscriber<App> {
    let publisher = Publisher::new(ELSEWHERE).unwrap();
    let sink = FailureSink::list(ELSEWHERE, "failures", 100).unwrap();
    let mut mounts: Vec<Mount<App>> = match mistake {
        Mistake::SwallowsAGap => handlers![forgets_to_load.named("on_reading")],
        Mistake::PublishesTwice => handlers![alarms_twice.named("on_reading")],
        Mistake::DecodesWrong => handlers![reads_fahrenheit.named("on_reading")],
        _ => handlers![on_reading],
    };
    mounts.extend(match mistake {
        Mistake::SkipsAHandler => handlers![on_alarm.on(Alarm::at(0))],
        _ => handlers![on_alarm],
    });
    mounts.extend(handlers![on_notice]);
    Subscriber::new(url)
        .state(App {
            publisher,
            loads: Arc::default(),
        })
        .on_failure(sink)
        .handlers(mounts)
}

/// A handler to mount while the application runs.
pub(crate) fn late() -> Vec<Mount<()>> {
    handlers![on_notice.named("late")]
}
