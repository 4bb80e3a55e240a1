//! Child processes that are killed when their handle is dropped.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use crate::Result;

pub(crate) struct Process {
    child: Child,
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
        Ok(Self { child, lines })
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
        let input = self.child.stdin.as_mut().ok_or("no input")?;
        writeln!(input, "{line}")?;
        Ok(input.flush()?)
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
