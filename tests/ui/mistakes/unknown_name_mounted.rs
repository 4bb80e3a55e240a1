use redis_push::{Mount, handlers};

fn main() {
    let mounts: Vec<Mount<()>> = handlers![on_order];
    drop(mounts);
}
