//! Child processes that end with this process, however it ends.
//!
//! The examples, the tests and the benchmarks start their servers with it. A process that is killed
//! runs no destructors, and a Redis server ignores SIGHUP, so without this a server would outlive a
//! killed test run or a closed terminal.

use std::ffi::OsStr;
use std::io::{Error, Result, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

/// A child process that is killed on drop, and when this process ends without dropping it.
///
/// On unix a shell first starts a guard in the background and then becomes the program, so that the
/// child's process id is that of the program. The guard reads from a pipe whose other end only this
/// process holds: the end of the pipe is the end of this process, and the guard kills the child. The
/// child and the guard have their own process group, which Ctrl-C and a closed terminal do not reach.
///
/// On other systems the child is only killed on drop.
#[derive(Debug)]
pub struct Leashed {
    child: Child,
    guard: ChildStdin,
}

/// `$$` is the shell, and after `exec` the program. A line on the pipe releases the guard.
#[cfg(unix)]
const SCRIPT: &str = r#"
exec 3<&0 </dev/null
{ trap '' HUP INT TERM; read -r released || kill -9 $$; } <&3 3<&- >/dev/null 2>&1 &
exec "$0" "$@" 3<&-
"#;

/// Whether this process ignores a signal: SIGHUP under `nohup`, SIGINT in the background of a script.
/// Its children then do so too, and tests of that signal have nothing to see. Only Linux tells this.
///
/// # Panics
///
/// If the signal is not `-HUP`, `-INT`, `-KILL` or `-TERM`, as the program `kill` takes them.
pub fn ignores(signal: &str) -> bool {
    let number = match signal {
        "-HUP" => 1,
        "-INT" => 2,
        "-KILL" => 9,
        "-TERM" => 15,
        _ => panic!("unknown signal {signal}"),
    };
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u128::from_str_radix(mask.trim(), 16).ok());
    let is_ignored = mask.is_some_and(|mask| mask >> (number - 1) & 1 == 1);
    if is_ignored {
        eprintln!("skipped: this process ignores {signal}");
    }
    is_ignored
}

impl Leashed {
    /// Starts `program`. `set` adds arguments and redirects the output; the standard input is empty.
    ///
    /// # Errors
    ///
    /// Returns an error if no process can be started. On unix a program that does not exist is not
    /// such an error: the child ends with code 127, and prints the reason to its standard error.
    pub fn spawn(
        program: impl AsRef<OsStr>,
        set: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<Self> {
        let mut command = guarded(program.as_ref());
        let mut child = set(&mut command).stdin(Stdio::piped()).spawn()?;
        let guard = child.stdin.take();
        let guard = guard.ok_or_else(|| Error::other("the child has no standard input"))?;
        Ok(Self { child, guard })
    }

    /// The process id of the program.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The program's output, if `set` has made it a pipe and nobody has taken it before.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Whether the program has ended.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until the program ends by itself.
    ///
    /// # Errors
    ///
    /// Returns an error if the system does not report the end.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        self.child.wait()
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        // The guard goes before the child is reaped: from then on another process may get its id.
        let _ = self.guard.write_all(b"\n");
        let _ = self.child.wait();
    }
}

#[cfg(unix)]
fn guarded(program: &OsStr) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new("sh");
    command.arg("-c").arg(SCRIPT).arg(program).process_group(0);
    command
}

#[cfg(not(unix))]
fn guarded(program: &OsStr) -> Command {
    Command::new(program)
}
