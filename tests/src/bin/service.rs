//! A service that runs until a signal: `service URL manager|wire`.
//!
//! It prints `ready`, and `begins` when its handler receives a message. The handler then waits for a
//! line on the standard input and prints `ends`. The end of the input ends the process, so that it
//! does not outlive the test that has started it.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use redis_push::{Fault, Gap, Handler, Mount, Push, Spec, Subscriber, Subscription};
use tokio::task::block_in_place;

struct Waits {
    lines: Mutex<Receiver<String>>,
}

impl Handler<()> for Waits {
    fn spec(&self) -> Spec {
        Spec::new("waits").on(Subscription::channel("a"))
    }

    async fn handle(&self, _push: Push<'_>, _state: &()) -> Result<(), Fault> {
        println!("begins");
        let line = block_in_place(|| self.lines.lock().expect("no panic").recv());
        line.expect("a line");
        println!("ends");
        Ok(())
    }

    async fn handle_gap(&self, _gap: &Gap, _state: &()) -> Result<(), Fault> {
        println!("ready");
        Ok(())
    }
}

#[tokio::main]
async fn main() -> redis_push::Result<()> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().expect("two arguments");
    let (url, link) = (next(), next());
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(std::io::Result::ok) {
            let _ = sender.send(line);
        }
        std::process::exit(2);
    });
    let lines = Mutex::new(lines);
    let subscriber = Subscriber::new(url);
    let subscriber = match &*link {
        "wire" => subscriber.wire(),
        _ => subscriber,
    };
    subscriber
        .handlers([Mount::new(Waits { lines })])
        .run()
        .await
}
