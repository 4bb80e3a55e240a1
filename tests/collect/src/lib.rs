//! Handlers that no list names, for the tests of the feature `collect`.

#![forbid(unsafe_code)]
#![deny(unused)]

use redis_push::{State, push_handler};
use tokio::sync::mpsc::UnboundedSender;

/// The state of the handlers, to which they write.
#[derive(Clone, Debug)]
pub struct App(pub UnboundedSender<String>);

impl App {
    fn note(&self, text: String) {
        let _ = self.0.send(text);
    }
}

#[push_handler(channel = "orders", state = App)]
async fn on_order(text: &str, State(app): State<App>) {
    app.note(format!("order {text}"));
}

mod alerts {
    use super::*;
    use redis_push::{Gap, Rejection, Text, gap_handler};

    /// Has the same name as another handler.
    #[push_handler(channel = "refunds", state = super::App, workers = 2)]
    async fn on_order(text: &str, State(app): State<App>) {
        app.note(format!("refund {text}"));
    }

    #[gap_handler]
    async fn resync(gap: Gap) {
        println!("{gap}");
    }

    /// Uses no state, so it can be mounted with any.
    #[push_handler(pattern = "alerts.*", on_gap = resync)]
    async fn r#match(number: Result<Text<u32>, Rejection>) {
        println!("{:?}", number.is_ok());
    }

    #[cfg(any())]
    #[push_handler(channel = "nothing")]
    async fn cfg_d_out(text: Nothing) {
        nothing!(text);
    }
}

/// Declares a handler inside a function.
pub fn declare() {
    #[push_handler(channel = "inside")]
    async fn declared_inside(text: &str) {
        println!("{text}");
    }
}
