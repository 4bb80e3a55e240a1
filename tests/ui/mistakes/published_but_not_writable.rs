use redis_push::{Publisher, PushMessage};

#[derive(serde::Deserialize)]
struct Money(u64);

#[derive(PushMessage)]
#[push(channel = "orders")]
struct Order {
    total: Money,
}

#[derive(PushMessage)]
#[push(pattern = "orders.*")]
struct AnyOrder {
    id: u32,
}

struct Plain;

async fn publish(publisher: Publisher, order: Order, any: AnyOrder) {
    println!("{}", order.total.0);
    let _ = publisher.publish(&order).await;
    let _ = publisher.publish(&any).await;
    let _ = publisher.publish_to("plain", &Plain).await;
}

fn main() {
    let _ = publish;
}
