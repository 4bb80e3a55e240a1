use redis_push::PushMessage;

const QUOTES: &str = "quotes.{symbol}.{venue}";
const EXACT: &str = "quotes";

#[derive(PushMessage)]
#[push(channel = QUOTES)]
struct Unlisted {
    symbol: String,
    venue: String,
}

#[derive(PushMessage)]
#[push(channel = QUOTES, params(symbol))]
struct Lacking {
    symbol: String,
    venue: String,
}

#[derive(PushMessage)]
#[push(channel = EXACT, params(symbol))]
struct Exact {
    symbol: String,
}

fn main() {}
