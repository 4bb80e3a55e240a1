//! `run`, of a subscriber and of a handle: the signals that end it.

use std::process::Stdio;

use redis_push::testing::Broker;
use tests::within;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::support::is_wire;

/// The program `service` of this package.
struct Service {
    process: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Service {
    /// Starts it, and waits until it is ready.
    async fn start(with: &[&str], broker: &Broker, caller: &str) -> Self {
        let mut service = Self::begin(with, broker, caller).await;
        service.says("ready").await;
        service
    }

    /// Starts it with the `run` of `caller`, and with the words of a command that starts the rest of its
    /// arguments.
    async fn begin(with: &[&str], broker: &Broker, caller: &str) -> Self {
        let link = if is_wire() { "wire" } else { "manager" };
        let url = broker.url();
        let service = [env!("CARGO_BIN_EXE_service"), &url, link, caller];
        let words: Vec<_> = with.iter().chain(&service).collect();
        let mut process = Command::new(words[0])
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut service = Self {
            process,
            input,
            lines,
        };
        service.says("listens").await;
        service
    }

    async fn says(&mut self, what: &str) {
        let line = within(what, self.lines.next_line()).await;
        assert_eq!(line.unwrap().as_deref(), Some(what));
    }

    /// Lets its handler end.
    async fn go_on(&mut self) {
        self.input.write_all(b"\n").await.unwrap();
        self.says("ends").await;
    }

    async fn kill(&self, signal: &str) {
        let id = self.process.id().unwrap().to_string();
        let kill = Command::new("kill").args([signal, &id]).status().await;
        assert!(kill.unwrap().success(), "kill {signal} {id}");
    }

    async fn ends_well(mut self) {
        let status = within("the end", self.process.wait()).await.unwrap();
        assert!(status.success(), "{status}");
    }
}

pub(crate) async fn a_hangup_or_sigterm_ends_run_after_the_handlers(broker: Broker) {
    for (signal, caller) in [
        ("-HUP", "subscriber"),
        ("-TERM", "subscriber"),
        ("-INT", "subscriber"),
        ("-HUP", "handle"),
        ("-TERM", "handle"),
    ] {
        if signal == "-HUP" && leash::ignores(signal) {
            continue;
        }
        let mut service = Service::start(&[], &broker, caller).await;
        broker.publish("a", "1");
        service.says("begins").await;
        service.kill(signal).await;
        within("the drain", broker.wait_for_subscribers_of("a", 0)).await;
        // A closed terminal may cause a second one.
        service.kill("-HUP").await;
        service.go_on().await;
        service.ends_well().await;
    }
}

pub(crate) async fn a_second_signal_ends_run_at_once(broker: Broker) {
    for caller in ["subscriber", "handle"] {
        let mut service = Service::start(&[], &broker, caller).await;
        broker.publish("a", "1");
        service.says("begins").await;
        service.kill("-INT").await;
        within("the drain", broker.wait_for_subscribers_of("a", 0)).await;
        service.kill("-INT").await;
        // Its handler still waits for a line.
        service.ends_well().await;
    }
}

pub(crate) async fn a_hangup_does_not_end_run_under_nohup(broker: Broker) {
    if !cfg!(target_os = "linux") {
        return; // As the documentation of `run` says.
    }
    let nohup = ["sh", "-c", r#"trap '' HUP && exec "$0" "$@""#];
    let mut service = Service::start(&nohup, &broker, "subscriber").await;
    service.kill("-HUP").await;
    for number in ["1", "2"] {
        broker.publish("a", number);
        service.says("begins").await;
        service.go_on().await;
    }
    service.kill("-TERM").await;
    service.ends_well().await;
}

pub(crate) async fn run_returns_the_error_of_on_ready_unless_a_signal_comes_before(broker: Broker) {
    let mut service = Service::start(&[], &broker, "hook").await;
    let status = within("the end", service.process.wait()).await.unwrap();
    assert_eq!(status.code(), Some(1));
    within("the stop", broker.stop()).await;
    let service = Service::begin(&[], &broker, "hook").await;
    service.kill("-TERM").await;
    service.ends_well().await;
}
