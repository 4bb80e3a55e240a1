//! A process that exits when it is deaf: `deaf URL stay|block|"shut down" manager|wire`.
//!
//! It prints `ready`. Its handler prints `stuck` and never returns. With `block` the handler also
//! blocks the only thread of the runtime. With `shut down` the process shuts down when its standard
//! input ends.

use std::time::Duration;

use redis_push::{Fault, Handler, Mount, Push, Spec, Subscriber, Subscription};
use tokio::io::AsyncReadExt;

struct Stuck {
    blocks: bool,
}

impl Handler<()> for Stuck {
    fn spec(&self) -> Spec {
        Spec::new("stuck").on(Subscription::channel("a"))
    }

    async fn handle(&self, _push: Push<'_>, _state: &()) -> Result<(), Fault> {
        println!("stuck");
        if self.blocks {
            loop {
                std::thread::park();
            }
        }
        std::future::pending().await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> redis_push::Result<()> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().expect("three arguments");
    let (url, how, link) = (next(), next(), next());
    let subscriber = Subscriber::new(url).exit_if_deaf(Duration::from_secs(1));
    let subscriber = match &*link {
        "wire" => subscriber.wire(),
        _ => subscriber,
    };
    let blocks = how == "block";
    let handle = subscriber
        .handlers([Mount::new(Stuck { blocks })])
        .start()
        .await?;
    println!("ready");
    if how == "shut down" {
        let mut input = Vec::new();
        let _ = tokio::io::stdin().read_to_end(&mut input).await;
        // Longer than the bound of `exit_if_deaf`.
        handle.shutdown(Duration::from_secs(3)).await;
        return Ok(());
    }
    std::future::pending().await
}
