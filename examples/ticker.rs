//! Live stock quotes: a publisher, and three handlers that read the same quotes.
//!
//! ```sh
//! cargo run --example ticker
//! cargo run --example ticker -- --seconds 60
//! cargo run --example ticker -- --cluster
//! cargo run --example ticker -- --web
//! ```
//!
//! Each handler has its own receiver, so a slow handler does not affect the others. The program
//! stops after ten seconds or the given time, prints the counts, and fails if a quote was lost.
//!
//! With `--cluster` the quotes go through a cluster of embedded brokers, of which one fails on the way: the
//! handlers receive a gap, and the subscriber and the publisher go on with the other nodes.
//!
//! With `--web` it shows live charts in the browser: it runs `cargo run -p web --bin ticker`, which is in
//! a package of its own because it needs a web server.

mod screen;
mod server;

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis_push::testing::Broker;
use redis_push::{Handle, HandlerStats, Publisher, PushMessage, State, Stats, Subscriber};
use redis_push::{handlers, push_handler};

use screen::Screen;

/// A quote, published on `quotes.ACME`, `quotes.GLOB` and so on. The symbol is in the name of the
/// channel, and the rest is JSON in the payload.
#[derive(PushMessage)]
#[push(channel = "quotes.{symbol}")]
struct Quote {
    symbol: String,
    bid: f64,
    ask: f64,
}

impl Quote {
    fn middle(&self) -> f64 {
        (self.bid + self.ask) / 2.0
    }
}

/// The state that the handlers share.
#[derive(Clone, Default)]
struct App {
    screen: Arc<Mutex<Screen>>,
    averages: Arc<Mutex<HashMap<String, VecDeque<f64>>>>,
    last: Arc<Mutex<HashMap<String, f64>>>,
}

/// Shows the newest quote of each symbol.
#[push_handler]
async fn board(quote: Quote, State(app): State<App>) {
    let mut screen = app.screen.lock().unwrap();
    screen.quote(&quote.symbol, quote.bid, quote.ask);
}

/// Keeps the average of the last twenty quotes of each symbol.
#[push_handler]
async fn moving_average(quote: Quote, State(app): State<App>) {
    let mut averages = app.averages.lock().unwrap();
    let window = averages.entry(quote.symbol.clone()).or_default();
    window.push_back(quote.middle());
    if window.len() > 20 {
        window.pop_front();
    }
    let average = window.iter().sum::<f64>() / window.len() as f64;
    app.screen.lock().unwrap().average(&quote.symbol, average);
}

/// Reports when a price changes by more than one percent from one quote to the next.
#[push_handler]
async fn alert(quote: Quote, State(app): State<App>) {
    let now = quote.middle();
    let before = app.last.lock().unwrap().insert(quote.symbol.clone(), now);
    let jump = before.map_or(0.0, |before| (now / before - 1.0) * 100.0);
    if jump.abs() > 1.0 {
        app.screen.lock().unwrap().alert(&quote.symbol, jump);
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    if std::env::args().nth(1).as_deref() == Some("--web") {
        return run_web();
    }
    let arguments = Arguments::parse()?;
    if arguments.is_cluster {
        return run_on_cluster(arguments.seconds).await;
    }
    let server = server::find().await?;
    println!("using {}", server.why);
    let handle = start(Subscriber::new(&server.url)).await?;
    let publisher = Publisher::new(&server.url)?;
    let published = tokio::select! {
        published = publish_quotes(&publisher, arguments.seconds) => published?,
        () = server::asked_to_stop() => return Ok(ExitCode::SUCCESS),
    };
    finish(&handle, published).await
}

async fn start(subscriber: Subscriber) -> redis_push::Result<Handle> {
    subscriber
        .start_deadline(Duration::from_secs(5))
        .state(App::default())
        .handlers(handlers![board, moving_average, alert])
        .start()
        .await
}

/// Runs on three embedded brokers that form a cluster. Half-way, the one that has the pattern of the handlers
/// fails, and its replica takes over.
async fn run_on_cluster(seconds: u64) -> Result<ExitCode, Box<dyn Error>> {
    let cluster = Broker::cluster(3).start().await?;
    println!("using a cluster of three embedded brokers, with a replica of each");
    let handle = start(Subscriber::cluster(cluster.urls())).await?;
    let publisher = Publisher::cluster(cluster.urls())?;
    println!("{}", handle.topology());
    let outage = async {
        tokio::time::sleep(Duration::from_secs(seconds) / 2).await;
        let topology = handle.topology();
        let busy = topology.nodes.iter().find(|node| node.names > 0);
        let is_it =
            |broker: &Broker| busy.is_some_and(|node| node.address == broker.addr().to_string());
        if let Some(failed) = cluster.nodes().iter().position(is_it) {
            cluster.kill(failed).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            cluster.fail_over(failed);
        }
        std::future::pending::<()>().await;
    };
    let published = tokio::select! {
        published = publish_quotes(&publisher, seconds) => published?,
        () = outage => unreachable!("it waits for the end"),
        () = server::asked_to_stop() => return Ok(ExitCode::SUCCESS),
    };
    let topology = handle.topology();
    let report = handle.shutdown(Duration::from_secs(5)).await;
    println!("\n{published} quotes published\n{report}\n{topology}");
    let handlers = &report.stats.handlers;
    let missing = |handler: &HandlerStats| published.saturating_sub(handler.handled);
    let untold = handlers
        .iter()
        .find(|one| missing(one) > 0 && one.gaps == 0);
    if let Some(handler) = untold {
        eprintln!("quotes were lost, and {} was not told", handler.handler);
        return Ok(ExitCode::FAILURE);
    }
    let most = handlers.iter().map(missing).max().unwrap_or_default();
    println!("{most} quotes are missing, in a gap that every handler was told");
    Ok(ExitCode::SUCCESS)
}

/// Waits for the handlers, prints the counts, and compares them with the number of published quotes.
async fn finish(handle: &Handle, published: u64) -> Result<ExitCode, Box<dyn Error>> {
    let report = handle.shutdown(Duration::from_secs(5)).await;
    println!("\n{published} quotes published\n{report}");
    if everything_arrived(&report.stats, published) {
        println!("every handler received every quote");
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("quotes were lost: see `dropped` and `gaps` above");
    Ok(ExitCode::FAILURE)
}

fn everything_arrived(stats: &Stats, published: u64) -> bool {
    let all_handled = |handler: &HandlerStats| handler.handled == published;
    stats.handlers.iter().all(all_handled) && stats.gaps() == 0
}

/// Publishes random walks of twenty prices, a few hundred quotes a second. Returns how many a server has taken.
async fn publish_quotes(publisher: &Publisher, seconds: u64) -> Result<u64, Box<dyn Error>> {
    const SYMBOLS: [&str; 20] = [
        "ACME", "BLUE", "CORE", "DELT", "ECHO", "FLUX", "GLOB", "HALO", "IRIS", "JADE", "KILO",
        "LUNA", "MIRA", "NOVA", "ORCA", "PULS", "QUAD", "RUBY", "SOLA", "TERN",
    ];
    let mut prices = SYMBOLS.map(|_| 20.0 + 180.0 * fastrand::f64());
    let mut tick = tokio::time::interval(Duration::from_millis(3));
    let end = tokio::time::Instant::now() + Duration::from_secs(seconds);
    let mut published = 0;
    while tick.tick().await < end {
        let index = fastrand::usize(..SYMBOLS.len());
        let step = match fastrand::u32(..200) {
            0 => 0.03,
            _ => 0.002,
        };
        prices[index] *= 1.0 + step * (fastrand::f64() - 0.5) * 2.0;
        let quote = Quote {
            symbol: SYMBOLS[index].to_owned(),
            bid: prices[index] - 0.01,
            ask: prices[index] + 0.01,
        };
        match publisher.publish(&quote).await {
            Ok(_) => published += 1,
            // The server is away: the next quote is newer than this one.
            Err(error) if error.is_connection() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(published)
}

struct Arguments {
    seconds: u64,
    is_cluster: bool,
}

impl Arguments {
    fn parse() -> Result<Self, Box<dyn Error>> {
        let (mut seconds, mut is_cluster) = (10, false);
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match (&*argument, is_cluster) {
                ("--cluster", false) => is_cluster = true,
                ("--seconds", _) => {
                    let number = arguments.next().ok_or("--seconds needs a number")?;
                    seconds = number.parse()?;
                }
                _ => {
                    let usage =
                        "usage: ticker [--cluster] [--seconds N], or ticker --web [--port N]";
                    return Err(usage.into());
                }
            }
        }
        Ok(Self {
            seconds,
            is_cluster,
        })
    }
}

/// Runs the ticker of the package `web` in place of this one.
fn run_web() -> Result<ExitCode, Box<dyn Error>> {
    const COMMAND: [&str; 5] = ["run", "--package", "web", "--bin", "ticker"];
    println!("running cargo {}", COMMAND.join(" "));
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(COMMAND)
        .arg("--")
        .args(std::env::args().skip(2));
    // In place of this process it is the one that Ctrl-C reaches.
    #[cfg(unix)]
    return Err(std::os::unix::process::CommandExt::exec(&mut cargo).into());
    #[cfg(not(unix))]
    Ok(match cargo.status()?.success() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
