//! A leashed process ends with its holder.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// A holder, and the process that it holds.
struct Holder {
    process: Child,
    held: String,
    /// Both processes write to it, so it ends when both have ended.
    output: BufReader<ChildStdout>,
}

impl Holder {
    fn start(how: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_holder"))
            .arg(how)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut held = String::new();
        output.read_line(&mut held).unwrap();
        Self {
            process,
            held: held.trim().to_owned(),
            output,
        }
    }

    /// Lets it end in its own way.
    fn end(mut self) {
        let input = self.process.stdin.as_mut().unwrap();
        input.write_all(b"\n").unwrap();
        self.leaves_nothing();
    }

    fn kill(self, signal: &str) {
        kill(signal, &self.process.id().to_string());
        self.leaves_nothing();
    }

    fn leaves_nothing(mut self) {
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let rest = self.output.read_to_end(&mut Vec::new());
            let _ = sender.send(rest);
        });
        let rest = ended.recv_timeout(Duration::from_secs(10));
        if rest.is_err() {
            kill("-KILL", &self.held);
        }
        self.process.wait().unwrap();
        rest.expect("the held process ends too").unwrap();
    }
}

fn kill(signal: &str, whom: &str) {
    let status = Command::new("kill").args([signal, "--", whom]).status();
    assert!(status.unwrap().success(), "kill {signal} {whom}");
}

#[test]
fn a_child_ends_when_its_holder_drops_it_exits_or_panics() {
    for how in ["drop", "exit", "panic", "abort"] {
        Holder::start(how).end();
    }
}

#[test]
fn a_child_ends_when_its_holder_is_killed_or_hung_up() {
    for signal in ["-KILL", "-HUP", "-TERM", "-INT"] {
        if !leash::ignores(signal) {
            Holder::start("drop").kill(signal);
        }
    }
}

#[test]
fn a_child_ends_when_the_whole_group_of_its_holder_is_killed() {
    let holder = Holder::start("drop");
    kill("-KILL", &format!("-{}", holder.process.id()));
    holder.leaves_nothing();
}

#[test]
fn a_suspended_child_ends_when_its_holder_is_killed() {
    let holder = Holder::start("drop");
    kill("-STOP", &holder.held);
    holder.kill("-KILL");
}
