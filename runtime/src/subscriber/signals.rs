use crate::error::Result;

/// The signals that ask a program to end: Ctrl-C, and on unix SIGTERM and SIGHUP.
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    /// `None` if the process ignores it.
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    /// Starts to listen. From now on the signals no longer end the process on their own.
    pub(crate) fn listen() -> Result<Self> {
        use crate::error::Error;
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Error::config(format!("cannot listen for signals: {error}")).caused_by(error)
            })
        };
        let hangup = (!ignores_hangup()).then(|| listen(SignalKind::hangup()));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: hangup.transpose()?,
        })
    }

    /// Waits for the next signal.
    pub(crate) async fn recv(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }

    /// Waits for a signal that repeats the first one.
    ///
    /// SIGHUP does not count: when a terminal is closed, the kernel and the shell each send one, and
    /// systemd can send one together with SIGTERM (`SendSIGHUP=`).
    pub(crate) async fn recv_again(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Whether SIGHUP is ignored, as under `nohup`. Listening for it would end that.
///
/// Only Linux tells this to safe code.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, 1))
}

/// Whether a process with this `/proc/<pid>/status` ignores the signal with this number.
#[cfg(unix)]
fn ignores(status: &str, signal: u32) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u128::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn listen() -> Result<Self> {
        Ok(Self {})
    }

    pub(crate) async fn recv(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    pub(crate) async fn recv_again(&mut self) {
        self.recv().await;
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::ignores;

    #[test]
    fn an_ignored_signal_is_found_in_the_status_of_a_process() {
        let status = "SigPnd:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t2\n";
        assert!(ignores(status, 1));
        assert!(!ignores(status, 2));
        assert!(ignores(status, 13));
        assert!(!ignores("SigIgn:\t0000000000000002\n", 1));
        assert!(!ignores("SigIgn:\tnone\n", 1));
        assert!(!ignores("", 1));
    }
}
