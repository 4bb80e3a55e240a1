//! A service that runs until a signal: `service URL manager|wire subscriber|handle|hook`. The last word says
//! whose `run` it calls; with `hook` that of a handle whose `on_ready` fails.
//!
//! It prints `listens`, `ready`, and `begins` when its handler receives a message. The handler then waits for a
//! line on the standard input and prints `ends`. The end of the input ends the process, so that it
//! does not outlive the test that has started it.

use std::sync::Arc;
use std::time::Duration;

use redis_push::{Fault, Gap, Handler, Mount, Push, Spec, Subscriber, Subscription};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{Mutex, Notify};

struct Waits {
    lines: Mutex<UnboundedReceiver<String>>,
    /// Notified when `run` listens for signals. Until then they end the process.
    is_listening: Arc<Notify>,
}

impl Handler<()> for Waits {
    fn spec(&self) -> Spec {
        Spec::new("waits").on(Subscription::channel("a"))
    }

    async fn handle(&self, _push: Push<'_>, _state: &()) -> Result<(), Fault> {
        println!("begins");
        self.lines.lock().await.recv().await.expect("a line");
        println!("ends");
        Ok(())
    }

    async fn handle_gap(&self, _gap: &Gap, _state: &()) -> Result<(), Fault> {
        self.is_listening.notified().await;
        println!("ready");
        Ok(())
    }
}

#[tokio::main]
async fn main() -> redis_push::Result<()> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().expect("three arguments");
    let (url, link, caller) = (next(), next(), next());
    let (sender, lines) = unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(std::io::Result::ok) {
            let _ = sender.send(line);
        }
        std::process::exit(2);
    });
    let lines = Mutex::new(lines);
    let is_listening = Arc::new(Notify::new());
    let listening = Arc::clone(&is_listening);
    let subscriber = Subscriber::new(url);
    let subscriber = match &*link {
        "wire" => subscriber.wire(),
        _ => subscriber,
    };
    // Longer than a test waits: what ends before has not been waited for.
    let subscriber = subscriber
        .handlers([Mount::new(Waits {
            lines,
            is_listening,
        })])
        .drain_deadline(Duration::from_secs(120));
    let run = async {
        match &*caller {
            "handle" => subscriber.spawn()?.run().await.map(drop),
            "hook" => {
                let failing = subscriber.on_ready(|_, _| async { Err::<(), _>("no") });
                failing.spawn()?.run().await.map(drop)
            }
            _ => subscriber.run().await,
        }
    };
    // `run` is polled first, and listens before it waits for anything.
    let (ended, ()) = tokio::join!(biased; run, async {
        println!("listens");
        listening.notify_one();
    });
    ended
}
