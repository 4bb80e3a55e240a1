use redis_push::{FromPush, Push, Rejection, push_handler};

struct App;

struct Tenant;

impl<'p> FromPush<'p, App> for Tenant {
    fn from_push(_push: Push<'p>, _state: &'p App) -> Result<Self, Rejection> {
        Ok(Self)
    }
}

#[push_handler(channel = "orders")]
async fn on_order(_text: &str, _tenant: Tenant) {}

fn main() {
    let _: Vec<redis_push::Mount<App>> = redis_push::handlers![on_order];
}
