use redis_push::{Handle, NearCache};

struct User {
    name: String,
}

async fn open(handle: &Handle) -> redis_push::Result<()> {
    let users = NearCache::<u64, User>::new(handle, "user:{id}").await?;
    let _ = users.get(&7).await?;
    Ok(())
}

fn main() {}
