use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use std::time::SystemTime;

use redis_push::{FromRef, Gap, GapCause, Handler, Missed, State, gap_handler, push_handler};

struct App {
    loads: Arc<AtomicU32>,
}

impl FromRef<App> for Arc<AtomicU32> {
    fn from_ref(app: &App) -> Self {
        Arc::clone(&app.loads)
    }
}

#[gap_handler]
async fn reload(_gap: &Gap, State(loads): State<Arc<AtomicU32>>) {
    loads.fetch_add(1, Ordering::Relaxed);
}

#[gap_handler(state = App)]
async fn fail_to_reload(gap: Gap) -> Result<(), String> {
    Err(gap.cause.to_string())
}

#[push_handler(channel = "x", on_gap = reload)]
async fn on_text(_text: &str) {}

#[push_handler(channel = "x", on_gap = self::fail_to_reload)]
async fn on_text_with_failure(_text: &str) {}

#[push_handler(channel = "x")]
async fn on_text_alone(_text: &str) {}

#[tokio::test]
async fn a_gap_reaches_the_gap_handler() {
    let loads = Arc::new(AtomicU32::new(0));
    let app = App {
        loads: Arc::clone(&loads),
    };
    let now = SystemTime::now();
    let gap = Gap::new(GapCause::Lagged, Missed::Exactly(3), now, now);
    (on_text {}).handle_gap(&gap, &app).await.unwrap();
    assert_eq!(loads.load(Ordering::Relaxed), 1);
    let failed = (on_text_with_failure {}).handle_gap(&gap, &app).await;
    assert_eq!(failed.unwrap_err().to_string(), "reader lagged");
    Handler::<App>::handle_gap(&on_text_alone {}, &gap, &app)
        .await
        .unwrap();
}
