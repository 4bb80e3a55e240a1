use redis_push::Publisher;

fn main() {
    let publisher = Publisher::new("redis://127.0.0.1/").unwrap();
    drop(publisher.publish("hi"));
}
