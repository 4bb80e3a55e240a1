//! A subscriber of a large cluster, for its figures: `large_cluster [NODES] [NAMES]`.
//!
//! The nodes are embedded brokers in a process of their own. One handler listens to all names, which are sharded
//! channels. Half of the slots of one node then move to another one, as when a node is added. Last, the connection
//! to a node is lost. Run it in a release build.

use std::io::{BufRead as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use redis_push::testing::Broker;
use redis_push::{
    Fault, Gap, GapCause, Handle, Handler, Mount, Push, Spec, Subscriber, Subscription,
};

/// Counts the gaps, and the names that they concern.
#[derive(Clone, Default)]
struct Gaps {
    gaps: Arc<AtomicUsize>,
    concerned: Arc<AtomicUsize>,
    names: usize,
}

impl Handler<()> for Gaps {
    fn spec(&self) -> Spec {
        Spec::new("names").on_gap("count")
    }

    async fn handle(&self, _push: Push<'_>, _state: &()) -> Result<(), Fault> {
        Ok(())
    }

    async fn handle_gap(&self, gap: &Gap, _state: &()) -> Result<(), Fault> {
        if gap.cause != GapCause::Initial {
            self.gaps.fetch_add(1, SeqCst);
            let names = gap.names().map_or(self.names, <[_]>::len);
            self.concerned.fetch_add(names, SeqCst);
        }
        Ok(())
    }
}

/// The brokers, in a child process that ends with its standard input.
struct Servers {
    child: Child,
    input: ChildStdin,
    output: std::io::Lines<std::io::BufReader<ChildStdout>>,
}

impl Servers {
    fn start(nodes: usize) -> std::io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", &nodes.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().expect("it is piped");
        let output = child.stdout.take().expect("it is piped");
        let output = std::io::BufReader::new(output).lines();
        Ok(Self {
            child,
            input,
            output,
        })
    }

    /// Sends a line, and returns the answer.
    fn ask(&mut self, line: &str) -> std::io::Result<String> {
        writeln!(self.input, "{line}")?;
        self.output.next().expect("an answer")
    }

    fn end(self) -> std::io::Result<()> {
        let Self {
            mut child, input, ..
        } = self;
        drop(input);
        child.wait().map(drop)
    }
}

/// Runs the brokers, and does what each line says.
async fn serve(nodes: usize) -> std::io::Result<()> {
    let cluster = Broker::cluster(nodes).replicas(0).start().await?;
    println!("{}", cluster.node(0).url());
    let slots = 16_384 / u16::try_from(nodes).expect("at most 16,384 nodes");
    let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    while let Some(line) = lines.recv().await {
        match &*line {
            "move" => cluster.move_slots(0..=slots / 2, nodes - 1),
            "kill" => cluster.kill(0).await,
            "start" => cluster.restart(0).await?,
            _ => {}
        }
        println!("done");
    }
    Ok(())
}

/// Returns how much memory this process has, in bytes.
fn memory() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    4096 * pages.unwrap_or(0_usize)
}

/// Waits until all names are confirmed, and returns how long that took.
async fn whole(handle: &Handle, names: u64, begun: Instant) -> Duration {
    let is_whole = || {
        let topology = handle.topology();
        let confirmed: u64 = topology.nodes.iter().map(|node| node.confirmed).sum();
        confirmed == names
    };
    while !is_whole() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    begun.elapsed()
}

/// Waits until not all names are confirmed, or were not.
async fn broken(handle: &Handle, names: u64, gaps: &Gaps) {
    while gaps.gaps.load(SeqCst) == 0 {
        let topology = handle.topology();
        let confirmed: u64 = topology.nodes.iter().map(|node| node.confirmed).sum();
        if confirmed != names {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [serves, nodes] = &*args
        && serves == "serve"
    {
        return Ok(serve(nodes.parse()?).await?);
    }
    let number = |at: usize, default| args.get(at).map_or(Ok(default), |text| text.parse());
    let (nodes, names) = (number(0, 100)?, number(1, 100_000)?);
    let mut servers = Servers::start(nodes)?;
    let url = servers.output.next().expect("a URL")?;

    let before = memory();
    let gaps = Gaps {
        names,
        ..Gaps::default()
    };
    let mount = (0..names).fold(Mount::new(gaps.clone()), |mount, name| {
        mount.on(Subscription::shard(format!("quotes.{name:08}")))
    });
    let listed = memory() - before;
    let begun = Instant::now();
    let handle = Subscriber::cluster([url])
        .start_deadline(None)
        .topology_interval(Duration::from_secs(1))
        .handlers([mount])
        .start()
        .await?;
    let wanted = names as u64;
    println!("nodes {nodes}, names {names}");
    println!("started after {:.2?}", begun.elapsed());
    let used = memory() - before;
    println!(
        "memory {} MB, {} bytes a name, of which its text in the handler's list {}",
        used / 1_000_000,
        used / names,
        listed / names,
    );
    let told = || (gaps.gaps.swap(0, SeqCst), gaps.concerned.swap(0, SeqCst));
    for (line, what) in [
        ("move", "half of the slots of a node move"),
        ("kill", "a node is killed"),
    ] {
        let begun = Instant::now();
        servers.ask(line)?;
        broken(&handle, wanted, &gaps).await;
        if line == "kill" {
            servers.ask("start")?;
        }
        let lasted = whole(&handle, wanted, begun).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let (gaps, concerned) = told();
        println!("{what}: whole after {lasted:.2?}, {gaps} gaps of {concerned} names");
    }
    handle.shutdown(Duration::ZERO).await;
    servers.end()?;
    Ok(())
}
