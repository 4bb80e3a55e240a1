use redis_push::{Handle, Json, Subscription};

#[derive(serde::Deserialize)]
struct Alert<'a> {
    text: &'a str,
}

async fn read(handle: &Handle) {
    let alerts = || Subscription::channel("alerts");
    let _ = handle.subscribe(alerts()).decode::<&str>().await;
    let _ = handle.subscribe(alerts()).decode::<Json<Alert<'_>>>().await;
}

fn main() {}
