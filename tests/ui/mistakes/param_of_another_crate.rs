use redis_push::{FromPush, Push, Rejection, push_handler};

struct Param<T>(T);

impl<'p, S> FromPush<'p, S> for Param<u64> {
    fn from_push(_push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        Ok(Self(0))
    }
}

#[push_handler(channel = "orders.{id}")]
async fn on_order(Param(id): Param<u64>, text: &str) {
    println!("{id} {text}");
}

fn main() {}
