//! P17: the memory that waits for users' code.
//!
//! Each case runs in a process of its own, so that the resident size shows nothing else. The process
//! reports by how much it has grown at most.

use std::process::{ExitCode, Stdio};
use std::time::Duration;

use redis_push::{
    Failure, Fault, Handle, Handler, Mount, Overflow, Push, Rejection, Spec, Subscriber,
    Subscription,
};
use serde_json::json;
use tests::{RealServer, within};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{ChildStdout, Command};
use tokio::time::sleep;

use crate::context::Context;
use crate::figure::Figure;
use crate::memory::resident_mib;
use crate::publisher::Publisher;
use crate::subject::Subject;

/// The first argument of a process that holds messages.
const ROLE: &str = "hold";
/// Before the number of messages that the process has received.
const RECEIVED: &str = "received ";
/// Before the number of MiB by which it has grown at most.
const GROWTH: &str = "growth ";
const MIB: usize = 1 << 20;
const LIMIT_MIB: usize = 16;
/// What may come on top of the limit: messages that handlers have in hand, the buffers of the
/// connection, and what the allocator does not return.
const CONSTANT_MIB: usize = 32;
const HANDLERS: usize = 16;
const CHANNELS: usize = 256;

/// Where messages wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Buffers,
    Latest,
    FailureHook,
    RawPushes,
}

impl Case {
    const ALL: [(Self, &str); 4] = [
        (Self::Buffers, "stuck handlers"),
        (
            Self::Latest,
            "stuck handler with the latest of each channel",
        ),
        (Self::FailureHook, "failure hook that hangs"),
        (Self::RawPushes, "receiver of raw pushes that is not read"),
    ];

    fn name(self) -> String {
        format!("{self:?}")
    }
}

struct Holder {
    spec: Spec,
    end: End,
}

/// How the deliveries of a handler end.
#[derive(Clone, Copy)]
enum End {
    Never,
    Rejected,
    Handled,
}

impl Handler<()> for Holder {
    fn spec(&self) -> Spec {
        self.spec.clone()
    }

    async fn handle(&self, _push: Push<'_>, _state: &()) -> Result<(), Fault> {
        match self.end {
            End::Never => std::future::pending().await,
            End::Rejected => Err(Fault::Rejected(Rejection::new("as the test wants"))),
            End::Handled => Ok(()),
        }
    }
}

pub(crate) async fn run(context: Context) {
    for (case, name) in Case::ALL {
        let growth = trial(&context, case).await;
        let what = format!("resident growth at a limit of {LIMIT_MIB} MiB: {name}");
        let figure = Figure::new("P17", what, growth).unit("MiB");
        let most = LIMIT_MIB + CONSTANT_MIB;
        context.record(
            figure
                .at_most(most)
                .detail(json!({"published_mib": CHANNELS})),
        );
    }
}

/// Returns by how many MiB the process has grown.
async fn trial(context: &Context, case: Case) -> f64 {
    let server = context.server().await;
    // The server must not drop the subscriber: a payload is large for its default limit.
    let limit = [
        "CONFIG",
        "SET",
        "client-output-buffer-limit",
        "pubsub 0 0 0",
    ];
    server.command(&limit).await;
    let mut process = Command::new(std::env::current_exe().expect("this program"))
        .args([ROLE, &case.name(), context.subject.name(), &server.url()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("this program");
    let output = process.stdout.take().expect("its output");
    let mut lines = BufReader::new(output).lines();
    let ready = within("the start", lines.next_line()).await;
    assert_eq!(ready.expect("a line").as_deref(), Some("ready"));
    publish(&server, &mut lines).await;
    let mut input = process.stdin.take().expect("its input");
    input.write_all(b"\n").await.expect("its input");
    loop {
        let line = within("the growth", lines.next_line()).await;
        let line = line.expect("a line").expect("a line");
        if let Some(growth) = line.strip_prefix(GROWTH) {
            return growth.parse().expect("a number");
        }
    }
}

/// Publishes a large message on each channel, then a small one. Waits again and again until the
/// process has received them: with the default link, what it cannot follow waits in a queue of
/// redis-rs, which is not what this measures.
async fn publish(server: &RealServer, lines: &mut Lines<BufReader<ChildStdout>>) {
    let mut published = 0;
    let mut publisher = Publisher::connect(server.addr()).await;
    let large = vec![b'x'; MIB];
    for size in [MIB, 1] {
        for channel in 0..CHANNELS {
            publisher.publish(channel_of(channel), &large[..size]);
            publisher.fence().await;
            published += 1;
            if size == MIB {
                until_received(lines, published).await;
            }
        }
    }
}

async fn until_received(lines: &mut Lines<BufReader<ChildStdout>>, published: u64) {
    loop {
        let line = within("the messages", lines.next_line()).await;
        let line = line.expect("a line").expect("a line");
        let received = line
            .strip_prefix(RECEIVED)
            .and_then(|count| count.parse().ok());
        if received.is_some_and(|received: u64| received >= published) {
            return;
        }
    }
}

fn channel_of(index: usize) -> String {
    format!("held.{}.{index}", index % HANDLERS)
}

/// Runs this process as one that holds messages, if its arguments say so.
pub(crate) async fn role() -> Option<ExitCode> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [role, case, link, url] = &arguments[..] else {
        return None;
    };
    if role != ROLE {
        return None;
    }
    let (case, _) = Case::ALL
        .into_iter()
        .find(|(known, _)| known.name() == *case)?;
    let subscriber = Subscriber::new(url.as_str())
        .memory_limit(LIMIT_MIB * MIB)
        .wire_wait(Duration::ZERO);
    let subscriber = match link {
        link if *link == Subject::Wire.name() => subscriber.wire(),
        _ => subscriber,
    };
    let handle = holding(case, subscriber).await;
    let _pushes = (case == Case::RawPushes).then(|| handle.pushes());
    let start = resident_mib().unwrap_or_default();
    let subscribed = handle.stats().feed.pushes;
    println!("ready");
    println!("{GROWTH}{}", growth(&handle, start, subscribed).await);
    Some(ExitCode::SUCCESS)
}

async fn holding(case: Case, subscriber: Subscriber<()>) -> Handle {
    let holder = |spec, end| Mount::new(Holder { spec, end });
    let everything = || Spec::new("held").on(Subscription::pattern("held.*"));
    let subscriber = match case {
        Case::Buffers => subscriber.handlers((0..HANDLERS).map(|index| {
            let pattern = Subscription::pattern(format!("held.{index}.*"));
            holder(Spec::new(format!("held{index}")).on(pattern), End::Never)
        })),
        Case::Latest => {
            let latest = everything().overflow(Overflow::Latest);
            subscriber.handlers([holder(latest, End::Never)])
        }
        Case::FailureHook => subscriber
            .handlers([holder(everything(), End::Rejected)])
            .on_failure(|_: Failure| std::future::pending::<Result<(), Fault>>()),
        Case::RawPushes => subscriber.handlers([holder(everything(), End::Handled)]),
    };
    subscriber.start().await.expect("a start")
}

/// Measures until a line comes in and everything has arrived. Ends the process when its input ends.
async fn growth(handle: &Handle, start: f64, subscribed: u64) -> f64 {
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    let (mut most, mut published) = (0.0_f64, false);
    let mut quiet = 0;
    let mut counted = 0;
    let mut before = handle.stats().feed;
    while !published || quiet < 100 {
        tokio::select! {
            line = input.next_line(), if !published => match line {
                Ok(Some(_)) => published = true,
                _ => std::process::exit(1),
            },
            () = sleep(Duration::from_millis(1)) => {}
        }
        most = most.max(resident_mib().unwrap_or_default() - start);
        let now = handle.stats().feed;
        quiet = if now == before { quiet + 1 } else { 0 };
        let received = now.pushes - subscribed;
        if received != counted {
            counted = received;
            println!("{RECEIVED}{received}");
        }
        before = now;
    }
    most
}
