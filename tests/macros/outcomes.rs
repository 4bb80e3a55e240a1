use redis_push::{BoxError, Fault, Subscription, push_handler};

use crate::deliver;

#[derive(Debug)]
struct TooLong;

impl std::fmt::Display for TooLong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("too long")
    }
}

impl std::error::Error for TooLong {}

#[push_handler(channel = "x")]
async fn returns_its_own_error(text: &str) -> Result<(), TooLong> {
    match text.len() {
        0..4 => Ok(()),
        _ => Err(TooLong),
    }
}

#[push_handler(channel = "x")]
async fn returns_a_box(text: &str) -> Result<(), BoxError> {
    text.parse::<u32>()?;
    Ok(())
}

#[push_handler(channel = "x")]
async fn returns_text(text: &str) -> Result<(), &'static str> {
    Err(if text.is_empty() { "empty" } else { "full" })
}

#[push_handler(channel = "x")]
async fn returns_unit(_text: &str) -> () {}

async fn outcome_of<H: redis_push::Handler<()>>(handler: H, payload: &str) -> Option<String> {
    let result = deliver(handler, &(), Subscription::channel("x"), "x", payload).await;
    match result {
        Ok(()) => None,
        Err(Fault::Failed(error)) => Some(error.to_string()),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_error_fails_the_delivery() {
    assert_eq!(outcome_of(returns_its_own_error {}, "abc").await, None);
    let failed = outcome_of(returns_its_own_error {}, "abcd").await;
    assert_eq!(failed.unwrap(), "too long");
    assert_eq!(outcome_of(returns_a_box {}, "1").await, None);
    assert!(outcome_of(returns_a_box {}, "one").await.is_some());
    assert_eq!(outcome_of(returns_text {}, "").await.unwrap(), "empty");
    assert_eq!(outcome_of(returns_unit {}, "").await, None);
}
