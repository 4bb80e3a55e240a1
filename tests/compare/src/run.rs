//! One run: a source and a client, each in its own process.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::client::{self, Outcome};
use crate::job::{Job, Source};
use crate::process::Process;
use crate::server::Server;
use crate::{Result, canned, publisher, resp};

const READY: Duration = Duration::from_secs(60);
const DONE: Duration = Duration::from_secs(300);

pub(crate) struct Runner {
    pub(crate) server: PathBuf,
    /// This program.
    pub(crate) program: Vec<OsString>,
    /// The program that runs clients: this one, the one that counts allocations, or this one under
    /// valgrind.
    pub(crate) client: Vec<OsString>,
}

impl Runner {
    pub(crate) fn new(server: PathBuf) -> Result<Self> {
        let program = vec![std::env::current_exe()?.into_os_string()];
        Ok(Self {
            server,
            client: program.clone(),
            program,
        })
    }

    /// Returns a runner with another program that runs clients.
    pub(crate) fn with_client(&self, client: Vec<OsString>) -> Self {
        Self {
            server: self.server.clone(),
            program: self.program.clone(),
            client,
        }
    }

    pub(crate) fn run(&self, job: &Job) -> Result<Outcome> {
        match job.source {
            Source::Real => self.real(job),
            Source::Canned => self.canned(job),
        }
    }

    fn real(&self, job: &Job) -> Result<Outcome> {
        let server = Server::start(&self.server)?;
        let client = self.client(job, server.port)?;
        let mut asking = server.connect()?;
        let channels = job.channel_names();
        let began = Instant::now();
        // A peer may report that it is subscribed before the server has handled that.
        while resp::subscribers(&mut asking, &channels)? < job.peer.subscriptions(job) {
            if began.elapsed() > READY {
                return Err("the client did not subscribe to everything".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let args = [publisher::ROLE, &job.to_arg(), &server.port.to_string()];
        let publisher = Process::spawn(&self.program, &args)?;
        let outcome = outcome(client)?;
        publisher.finish()?;
        Ok(outcome)
    }

    fn canned(&self, job: &Job) -> Result<Outcome> {
        let mut source = Process::spawn(&self.program, &[canned::ROLE, &job.to_arg()])?;
        let port = source.line(READY)?.parse()?;
        let client = self.client(job, port)?;
        source.say("go")?;
        outcome(client)
    }

    fn client(&self, job: &Job, port: u16) -> Result<Process> {
        let args = [client::ROLE, &job.to_arg(), &port.to_string()];
        let client = Process::spawn(&self.client, &args)?;
        match client.line(READY)?.as_str() {
            "ready" => Ok(client),
            other => Err(other.into()),
        }
    }
}

/// Reads the outcome, and waits for the client's end: valgrind writes the counts only then.
fn outcome(client: Process) -> Result<Outcome> {
    let outcome = serde_json::from_str(&client.line(DONE)?)?;
    client.finish()?;
    Ok(outcome)
}
