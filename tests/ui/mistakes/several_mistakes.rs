use redis_push::push_handler;

#[push_handler(chanel = "orders", buffer = "many")]
fn on_order<T>(&self, order: T) {
    drop(order);
}

fn main() {}
