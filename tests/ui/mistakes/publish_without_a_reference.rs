use redis_push::{Publisher, PushMessage};

#[derive(PushMessage)]
#[push(channel = "receipts")]
struct Receipt {
    number: u64,
}

async fn publish(publisher: Publisher, receipt: Receipt) -> redis_push::Result<()> {
    publisher.publish(Receipt { number: 7 }).await?;
    publisher.publish_to("receipts.late", receipt).await?;
    Ok(())
}

fn main() {}
