use std::rc::Rc;

use redis_push::{Delivery, Next, Outcome, Subscriber};

fn not_async(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
    let _ = (delivery, next);
    Outcome::skipped()
}

async fn without_outcome(delivery: Delivery<'_>, next: Next<'_>) {
    drop(next.run(delivery).await);
}

async fn without_next(_delivery: Delivery<'_>) -> Outcome {
    Outcome::skipped()
}

async fn not_send(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
    let shared = Rc::new(1);
    let outcome = next.run(delivery).await;
    println!("{shared}");
    outcome
}

fn main() {
    let _ = Subscriber::new("redis://127.0.0.1/")
        .around(not_async)
        .around(without_outcome)
        .around(without_next)
        .around(not_send);
}
