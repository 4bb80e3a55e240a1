use redis_push::{Gap, Mount, gap_handler, handlers, push_handler};

#[push_handler(channel = "quotes")]
async fn on_quote(text: &str) {
    println!("{text}");
}

mod alerts {
    #[redis_push::push_handler(channel = "alerts")]
    pub(crate) async fn on_alert(text: &str) {
        println!("{text}");
    }
}

#[gap_handler]
async fn resync(gap: Gap) {
    println!("{gap}");
}

#[push_handler(channel = "quotes", on_gap = resinc)]
async fn on_other(text: &str) {
    println!("{text}");
}

fn main() {
    let _: Vec<Mount<()>> = handlers![on_qoute];
    let _: Vec<Mount<()>> = handlers![on_quote.buffer(1), on_qoute.buffer(1), on_other];
    let _: Vec<Mount<()>> = handlers![alerts::on_alrt];
    let _: Vec<Mount<()>> = handlers![on_nothing_of_the_kind];
}
