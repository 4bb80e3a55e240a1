//! Live stock quotes: a publisher, and three handlers that read the same quotes.
//!
//! ```sh
//! cargo run --example ticker
//! cargo run --example ticker -- --seconds 60
//! cargo run --example ticker -- --web
//! ```
//!
//! Each handler has its own receiver, so a slow handler does not affect the others. The program
//! stops after ten seconds or the given time, prints the counts, and fails if a quote was lost.
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

use redis_push::{Handle, Publisher, PushMessage, State, Stats, Subscriber};
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
    let seconds = seconds_to_run()?;
    let server = server::find().await?;
    println!("using {}", server.why);

    let handle = Subscriber::new(&server.url)
        .start_deadline(Duration::from_secs(5))
        .state(App::default())
        .handlers(handlers![board, moving_average, alert])
        .start()
        .await?;

    let published = tokio::select! {
        published = publish_quotes(&server.url, seconds) => published?,
        () = server::asked_to_stop() => return Ok(ExitCode::SUCCESS),
    };
    finish(&handle, published).await
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
    let all_handled = |handler: &redis_push::HandlerStats| handler.handled == published;
    stats.handlers.iter().all(all_handled) && stats.gaps() == 0
}

/// Publishes random walks of twenty prices, a few hundred quotes a second.
async fn publish_quotes(url: &str, seconds: u64) -> Result<u64, Box<dyn Error>> {
    const SYMBOLS: [&str; 20] = [
        "ACME", "BLUE", "CORE", "DELT", "ECHO", "FLUX", "GLOB", "HALO", "IRIS", "JADE", "KILO",
        "LUNA", "MIRA", "NOVA", "ORCA", "PULS", "QUAD", "RUBY", "SOLA", "TERN",
    ];
    let publisher = Publisher::new(url)?;
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
        publisher.publish(&quote).await?;
        published += 1;
    }
    Ok(published)
}

fn seconds_to_run() -> Result<u64, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => Ok(10),
        (Some("--seconds"), Some(seconds)) => Ok(seconds.parse()?),
        _ => Err("usage: ticker [--seconds N], or ticker --web [--port N]".into()),
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
