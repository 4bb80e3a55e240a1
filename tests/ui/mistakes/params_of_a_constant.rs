use redis_push::PushMessage;

const QUOTES: &str = "quotes.{symbol}";

#[derive(PushMessage)]
#[push(channel = "quotes.{symbol}", params(symbol))]
struct InQuotes {
    symbol: String,
}

#[derive(PushMessage)]
#[push(channel = QUOTES, params(symbl))]
struct Misspelt {
    symbol: String,
}

#[derive(PushMessage)]
#[push(channel = QUOTES, params(symbol))]
enum Kind {
    One,
}

#[derive(PushMessage)]
#[push(channel = QUOTES, params = "symbol")]
struct Assigned {
    symbol: String,
}

#[derive(PushMessage)]
#[push(channel = QUOTES, params(symbol, symbol))]
struct Twice {
    symbol: String,
}

#[derive(PushMessage)]
#[push(channel = QUOTES, params())]
struct None {
    symbol: String,
}

#[derive(PushMessage)]
#[push(channel = ["trades.{id}", QUOTES], params(symbol))]
struct Lists {
    symbol: String,
}

#[derive(PushMessage)]
#[push(channel = ["trades", QUOTES], params(symbol))]
struct Lacks {
    symbol: String,
}

#[derive(PushMessage)]
#[push(channel = ["trades.{symbol}", QUOTES])]
struct Unlisted {
    symbol: String,
}

#[derive(PushMessage)]
#[push(channel = Self::NAME)]
struct OfSelf {
    symbol: String,
}

fn main() {}
