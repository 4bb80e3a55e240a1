use redis_push::PushMessage;

#[derive(PushMessage)]
#[push(channel = "a", at)]
struct Missing(u8);

#[derive(PushMessage)]
#[push(channel = "a", at = "address")]
struct Quoted(u8);

#[derive(PushMessage)]
#[push(channel = "a", at = type)]
struct Keyword(u8);

#[derive(PushMessage)]
#[push(channel = "a", at = Self::address)]
struct Path(u8);

#[derive(PushMessage)]
#[push(channel = "a", at = template)]
struct Taken(u8);

#[derive(PushMessage)]
#[push(channel = "a", at = one, at = two)]
struct Twice(u8);

fn main() {
    let _ = Quoted::at();
}
