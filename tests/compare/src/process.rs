//! Child processes of this program, which are killed when their handle is dropped, and end when their
//! input does: that is when the process that started them has ended.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use crate::Result;

pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Process {
    pub(crate) fn spawn(program: &[OsString], args: &[&str]) -> Result<Self> {
        let mut child = Command::new(&program[0])
            .args(&program[1..])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let input = child.stdin.take().ok_or("no input")?;
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output)
                .lines()
                .map_while(std::io::Result::ok)
            {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            child,
            input,
            lines,
        })
    }

    /// Reads the next line of its output.
    pub(crate) fn line(&self, within: Duration) -> Result<String> {
        self.lines
            .recv_timeout(within)
            .map_err(|error| match error {
                mpsc::RecvTimeoutError::Timeout => {
                    format!("the process printed nothing for {} s", within.as_secs()).into()
                }
                mpsc::RecvTimeoutError::Disconnected => "the process ended early".into(),
            })
    }

    /// Writes a line to its input.
    pub(crate) fn say(&mut self, line: &str) -> Result<()> {
        Ok(writeln!(self.input, "{line}")?)
    }

    /// Waits until the process has ended without being killed.
    pub(crate) fn finish(mut self) -> Result<()> {
        let status = self.child.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(status.to_string().into())
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In a child: passes on the lines of its input, and ends this process at the end of the input.
pub(crate) fn input() -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(std::io::Result::ok) {
            let _ = sender.send(line);
        }
        std::process::exit(1);
    });
    lines
}
