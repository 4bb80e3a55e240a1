use redis_push::{Delivery, Next, Subscriber};

fn main() {
    let name = String::from("orders");
    let _ = Subscriber::new("redis://127.0.0.1/").around(
        async move |delivery: Delivery<'_>, next: Next<'_>| {
            println!("{name}");
            next.run(delivery).await
        },
    );
}
